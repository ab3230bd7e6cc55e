import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPAddress, ServiceCIDR } from '../../api/types.ts';
import { CIDR_FINALIZER, planServiceCidr } from './service-cidr-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const range = (
  cidr: string,
  more: { deletedSecondsAgo?: number; ready?: string; held?: boolean } = {},
): ServiceCIDR => ({
  metadata: {
    name: 'extra',
    ...(more.held !== false && { finalizers: [CIDR_FINALIZER] }),
    ...(more.deletedSecondsAgo !== undefined && {
      deletionTimestamp: new Date(NOW - more.deletedSecondsAgo * 1000).toISOString(),
    }),
  },
  spec: { cidrs: [cidr] },
  ...(more.ready && {
    status: {
      conditions: [
        {
          type: 'Ready',
          status: more.ready,
          reason: more.ready === 'True' ? '' : 'Terminating',
          message: '',
          lastTransitionTime: '',
        },
      ],
    },
  }),
});
const address = (name: string): IPAddress => ({
  metadata: { name },
  spec: { parentRef: { resource: 'services', namespace: 'a', name: 'b' } },
});

const rows: [what: string, object: ServiceCIDR, others: ServiceCIDR[], addresses: IPAddress[], expected: string][] = [
  [
    'a new one becomes ready and held',
    range('10.9.0.0/24', { held: false }),
    [],
    [],
    `finalizers ${CIDR_FINALIZER}; Ready True`,
  ],
  ['a ready one stays as it is', range('10.9.0.0/24', { ready: 'True' }), [], [], 'nothing'],
  [
    'a deleted one waits for its addresses',
    range('10.9.0.0/24', { deletedSecondsAgo: 60, ready: 'True' }),
    [],
    [address('10.9.0.7')],
    'Ready False',
  ],
  [
    'and says so once',
    range('10.9.0.0/24', { deletedSecondsAgo: 60, ready: 'False' }),
    [],
    [address('10.9.0.7')],
    'nothing',
  ],
  [
    'unless another range has them too',
    range('10.9.0.0/24', { deletedSecondsAgo: 60 }),
    [range('10.9.0.0/16')],
    [address('10.9.0.7')],
    'finalizers ',
  ],
  [
    'one that is going too does not count',
    range('10.9.0.0/24', { deletedSecondsAgo: 60 }),
    [range('10.9.0.0/16', { deletedSecondsAgo: 1 })],
    [address('10.9.0.7')],
    'Ready False',
  ],
  [
    'it goes when nothing needs it',
    range('10.9.0.0/24', { deletedSecondsAgo: 60 }),
    [],
    [address('10.96.0.1')],
    'finalizers ',
  ],
  ['but not within ten seconds', range('10.9.0.0/24', { deletedSecondsAgo: 5 }), [], [], 'nothing'],
];
for (const [what, object, others, addresses, expected] of rows) {
  test(what, () => {
    const change = planServiceCidr(object, others, addresses, NOW);
    const { finalizers, condition } = change ?? {};
    const said = [
      ...(finalizers ? [`finalizers ${finalizers.join(',')}`] : []),
      ...(condition ? [`Ready ${condition.status}`] : []),
    ];
    assert.equal(change ? said.join('; ') : 'nothing', expected);
  });
}
