import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPAddress, Service } from '../../api/types.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { planRepair, type RepairState } from './repair-plan.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const range = parseCidr('10.96.0.0/24');
assert.ok(range);

const service = (name: string, clusterIP: string, nodePort?: number): Service => ({
  metadata: { name, namespace: 'default' },
  spec: {
    type: nodePort === undefined ? 'ClusterIP' : 'NodePort',
    clusterIP,
    clusterIPs: [clusterIP],
    ports: [{ port: 80, ...(nodePort !== undefined && { nodePort }) }],
  },
});
const address = (name: string, owner: string, more: { age?: number; managed?: boolean } = {}): IPAddress => ({
  metadata: {
    name,
    creationTimestamp: new Date(NOW - (more.age ?? 3600) * 1000).toISOString(),
    ...(more.managed !== false && {
      labels: {
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        'ipaddress.kubernetes.io/ip-family': 'IPv4',
      },
    }),
  },
  spec: { parentRef: { group: '', resource: 'services', namespace: 'default', name: owner } },
});

/** Managed, but of no Service. */
function turned(name: string): IPAddress {
  const claim = address(name, 'x');
  return { ...claim, spec: { parentRef: { group: 'example.com', resource: 'widgets', name: 'x' } } };
}

const rows: [what: string, services: Service[], addresses: IPAddress[], expected: string[]][] = [
  ['what belongs together is left alone', [service('a', '10.96.0.5')], [address('10.96.0.5', 'a')], []],
  ['headless Services claim nothing', [service('a', 'None')], [], []],
  [
    'a missing claim is made again',
    [service('a', '10.96.0.5')],
    [],
    ['claim 10.96.0.5 for a', 'ClusterIPNotAllocated'],
  ],
  [
    'a claim without a Service goes',
    [],
    [address('10.96.0.5', 'gone')],
    ['release 10.96.0.5', 'IPAddressNotAllocated'],
  ],
  ['a fresh claim may still get its Service', [], [address('10.96.0.5', 'soon', { age: 10 })], []],
  ['a claim made by hand stays', [], [address('10.96.0.5', 'x', { managed: false })], []],
  [
    'a claim of a Service that is not there',
    [service('a', '10.96.0.5')],
    [address('10.96.0.5', 'b')],
    ['claim 10.96.0.5 for a', 'ClusterIPNotAllocated'],
  ],
  [
    'a claim of a Service that has another address',
    [service('a', '10.96.0.5'), service('b', '10.96.0.6')],
    [address('10.96.0.5', 'b'), address('10.96.0.6', 'b')],
    ['claim 10.96.0.5 for a', 'ClusterIPNotAllocated'],
  ],
  [
    'a second claim of a Service',
    [service('a', '10.96.0.5')],
    [address('10.96.0.5', 'a'), address('10.96.0.6', 'a', { age: 1 })],
    ['release 10.96.0.6', 'IPAddressWrongReference'],
  ],
  [
    'a claim that lost its labels',
    [service('a', '10.96.0.5')],
    [address('10.96.0.5', 'a', { managed: false })],
    ['claim 10.96.0.5 for a'],
  ],
  [
    'a claim that was turned to something else',
    [service('a', '10.96.0.5')],
    [turned('10.96.0.5'), turned('10.96.0.6')],
    ['claim 10.96.0.5 for a', 'release 10.96.0.6', 'ClusterIPNotAllocated', 'IPAddressNotAllocated'],
  ],
  [
    'one address twice',
    [service('a', '10.96.0.5'), service('b', '10.96.0.5')],
    [address('10.96.0.5', 'a')],
    ['ClusterIPAlreadyAllocated'],
  ],
  ['an address outside the ranges', [service('a', '10.1.0.5')], [], ['ClusterIPOutOfRange']],
  ['no address at all', [service('a', 'nonsense')], [], ['ClusterIPNotValid']],
  ['a node port outside the range', [service('a', '10.96.0.5', 80)], [address('10.96.0.5', 'a')], ['PortOutOfRange']],
  [
    'one node port twice',
    [service('a', '10.96.0.5', 30080), service('b', '10.96.0.6', 30080)],
    [address('10.96.0.5', 'a'), address('10.96.0.6', 'b')],
    ['PortAlreadyAllocated'],
  ],
];
for (const [what, services, addresses, expected] of rows) {
  test(what, () => {
    const state: RepairState = {
      services,
      addresses,
      ranges: [range],
      portRange: { first: 30000, last: 32767 },
      now: NOW,
    };
    const { claim, release, complaints } = planRepair(state);
    assert.deepEqual(
      [
        ...claim.map((each) => `claim ${each.address} for ${each.service.metadata.name}`),
        ...release.map(({ metadata }) => `release ${metadata.name}`),
        ...complaints.map(({ reason }) => reason),
      ],
      expected,
    );
  });
}
