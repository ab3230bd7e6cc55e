import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Core } from '../api/types.ts';
import { planSubsets, sameSubsets, truncateSubsets } from './endpoint-subsets.ts';
import { aPod, aService } from './test-objects.ts';

/** `10.0.0.1 10.0.0.2!: 80 443` with ! for not ready: subsets at a glance. */
const draw = (subsets: Core.EndpointSubset[]) =>
  subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
    const ips = [...addresses.map(({ ip }) => ip), ...notReadyAddresses.map(({ ip }) => `${ip}!`)];
    return `${ips.join(' ')}: ${ports.map(({ port }) => String(port)).join(' ')}`.trim();
  });

const twoPorts = [
  { name: 'https', port: 443, targetPort: 8443 },
  { name: 'http', port: 80, targetPort: 'http' },
];
const withHttp = (port: number) => ({
  containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: port }] }],
});
const one = aPod({ name: 'one', ip: '10.0.0.1' });
const two = aPod({ name: 'two', ip: '10.0.0.2' });
const ten = aPod({ name: 'ten', ip: '10.0.0.10' });

test('addresses are in the order of their numbers, whatever the order of the Pods', () => {
  assert.deepEqual(draw(planSubsets(aService(), [ten, two, one])), ['10.0.0.1 10.0.0.2 10.0.0.10: 8080']);
});

test('Pods that are not ready are listed apart (2-021)', () => {
  const slow = aPod({ name: 'slow', ip: '10.0.0.3', ready: false });
  assert.deepEqual(draw(planSubsets(aService(), [one, slow])), ['10.0.0.1 10.0.0.3!: 8080']);
  assert.deepEqual(draw(planSubsets(aService({ publishNotReadyAddresses: true }), [one, slow])), [
    '10.0.0.1 10.0.0.3: 8080',
  ]);
});

test('a Pod that is being deleted is out, unless the Service publishes all (2-006)', () => {
  const going = aPod({ name: 'going', ip: '10.0.0.4', deleting: true });
  assert.deepEqual(draw(planSubsets(aService(), [one, going])), ['10.0.0.1: 8080']);
  assert.deepEqual(draw(planSubsets(aService({ publishNotReadyAddresses: true }), [one, going])), [
    '10.0.0.1 10.0.0.4: 8080',
  ]);
});

test('ports with the same addresses share a subset (2-022)', () => {
  const pods = [
    aPod({ name: 'a', ip: '10.0.0.1', spec: withHttp(80) }),
    aPod({ name: 'b', ip: '10.0.0.2', spec: withHttp(80) }),
  ];
  assert.deepEqual(draw(planSubsets(aService({ ports: twoPorts }), pods)), ['10.0.0.1 10.0.0.2: 80 8443']);
});

test('Pods that resolve a name to different numbers are in different subsets (2-015)', () => {
  const pods = [
    aPod({ name: 'a', ip: '10.0.0.1', spec: withHttp(80) }),
    aPod({ name: 'b', ip: '10.0.0.2', spec: withHttp(81) }),
  ];
  assert.deepEqual(draw(planSubsets(aService({ ports: twoPorts }), pods)), [
    '10.0.0.1: 80',
    '10.0.0.2: 81',
    '10.0.0.1 10.0.0.2: 8443',
  ]);
});

test('a port a Pod does not have is left out for that Pod only (2-014)', () => {
  const pods = [aPod({ name: 'a', ip: '10.0.0.1', spec: withHttp(80) }), two];
  assert.deepEqual(draw(planSubsets(aService({ ports: twoPorts }), pods)), ['10.0.0.1: 80', '10.0.0.1 10.0.0.2: 8443']);
});

test('a headless Service without ports has addresses and no ports (2-016)', () => {
  assert.deepEqual(draw(planSubsets(aService({ clusterIP: 'None', ports: [] }), [one])), ['10.0.0.1:']);
});

test('no Pods, no subsets (2-026)', () => {
  assert.deepEqual(planSubsets(aService(), []), []);
});

test('an address says which Pod it is, and where (2-019)', () => {
  assert.deepEqual(planSubsets(aService(), [one])[0]?.addresses, [
    {
      ip: '10.0.0.1',
      nodeName: 'node01',
      targetRef: { kind: 'Pod', namespace: 'default', name: 'one', uid: 'uid-one' },
    },
  ]);
});

const many = (count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => ({ ip: `10.1.${String((n + first) >> 8)}.${String((n + first) & 255)}` }));

const truncation: [string, [number, number][], [number, number][], boolean][] = [
  ['up to the limit everything stays', [[600, 400]], [[600, 400]], false],
  ['the ready ones come first', [[900, 300]], [[900, 100]], true],
  ['of too many ready ones no unready one stays', [[1500, 10]], [[1000, 0]], true],
  [
    'each subset loses in proportion',
    [
      [900, 0],
      [600, 0],
    ],
    [
      [600, 0],
      [400, 0],
    ],
    true,
  ],
  [
    'rounding up stops at the limit',
    [
      [334, 0],
      [334, 0],
      [334, 0],
    ],
    [
      [334, 0],
      [334, 0],
      [332, 0],
    ],
    true,
  ],
];
for (const [name, given, expected, truncated] of truncation) {
  test(`truncation: ${name} (2-023)`, () => {
    const subsets = given.map(([ready, notReady]) => ({
      addresses: many(ready),
      notReadyAddresses: many(notReady, 5000),
    }));
    const result = truncateSubsets(subsets, 1000);
    const counts = result.subsets.map((each) => [each.addresses?.length ?? 0, each.notReadyAddresses?.length ?? 0]);
    assert.deepEqual(counts, expected);
    assert.equal(result.truncated, truncated);
  });
}

test('the version of the Pod an address points to makes no difference (2-025)', () => {
  const subset = (resourceVersion: string) => [
    { addresses: [{ ip: '10.0.0.1', targetRef: { kind: 'Pod', resourceVersion } }] },
  ];
  assert.equal(sameSubsets(subset('1'), subset('2')), true);
  assert.equal(sameSubsets(subset('1'), [{ addresses: [{ ip: '10.0.0.2', targetRef: { kind: 'Pod' } }] }]), false);
});
