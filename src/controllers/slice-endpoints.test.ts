import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Service } from '../api/types.ts';
import { desiredSlices, hintsFor } from './slice-endpoints.ts';
import { aNode, aPod, aService } from './test-objects.ts';

const zoned = aNode('node01', { labels: { 'topology.kubernetes.io/zone': 'za' } });
const nodeOf = (name: string) => (name === 'node01' ? zoned : undefined);
const endpointOf = (pod: Pod, service: Service = aService()) =>
  desiredSlices(service, [pod], nodeOf).groups[0]?.endpoints[0];

const states: [string, Parameters<typeof aPod>[0], object, [boolean, boolean, boolean]][] = [
  ['ready', { name: 'a' }, {}, [true, true, false]],
  ['not ready', { name: 'a', ready: false }, {}, [false, false, false]],
  ['ready and going (T16)', { name: 'a', deleting: true }, {}, [false, true, true]],
  ['not ready and going', { name: 'a', deleting: true, ready: false }, {}, [false, false, true]],
  [
    'not ready but published (2-051)',
    { name: 'a', ready: false },
    { publishNotReadyAddresses: true },
    [true, false, false],
  ],
  [
    'going but published (2-051)',
    { name: 'a', deleting: true },
    { publishNotReadyAddresses: true },
    [true, true, true],
  ],
];
for (const [name, fields, spec, [ready, serving, terminating]] of states) {
  test(`conditions of a Pod that is ${name} (2-005)`, () => {
    const found = endpointOf(aPod({ ip: '10.0.0.1', ...fields }), aService(spec));
    assert.deepEqual(found?.conditions, { ready, serving, terminating });
  });
}

test('an endpoint names its Pod, Node and zone (2-050)', () => {
  assert.deepEqual(endpointOf(aPod({ name: 'a', ip: '10.0.0.1' })), {
    addresses: ['10.0.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'uid-a' },
    nodeName: 'node01',
    zone: 'za',
  });
});

test('a Pod whose Node is unknown waits, unless the Service publishes all (2-052)', () => {
  const pod = aPod({ name: 'a', ip: '10.0.0.1', node: 'gone' });
  assert.deepEqual(desiredSlices(aService(), [pod], nodeOf), { groups: [], missingNodes: ['gone'] });
  assert.equal(endpointOf(pod, aService({ publishNotReadyAddresses: true }))?.nodeName, 'gone');
});

test('each family has its own slices, with the Pod’s address of that family (2-048)', () => {
  const pod = aPod({ name: 'a', ip: '10.0.0.1' });
  const dual = { ...pod, status: { ...pod.status, podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } };
  const { groups } = desiredSlices(
    aService({ ipFamilies: ['IPv6', 'IPv4'] }),
    [dual, aPod({ name: 'b', ip: '10.0.0.2' })],
    nodeOf,
  );
  const drawn = groups.map(
    ({ addressType, endpoints }) => `${addressType} ${endpoints.map((e) => e.addresses.join()).join(' ')}`,
  );
  assert.deepEqual(drawn, ['IPv6 fd00::1', 'IPv4 10.0.0.1 10.0.0.2']);
});

test('a headless Service without ports has slices without ports (2-016)', () => {
  const { groups } = desiredSlices(
    aService({ clusterIP: 'None', ports: [] }),
    [aPod({ name: 'a', ip: '10.0.0.1' })],
    nodeOf,
  );
  assert.deepEqual(
    groups.map(({ ports }) => ports),
    [[]],
  );
});

const AUTO = { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } };
const hints: [string, Service, string][] = [
  ['nothing asked', aService(), 'none'],
  ['PreferClose', aService({ trafficDistribution: 'PreferClose' }), 'zone'],
  ['PreferSameZone', aService({ trafficDistribution: 'PreferSameZone' }), 'zone'],
  ['PreferSameNode', aService({ trafficDistribution: 'PreferSameNode' }), 'node'],
  ['the Auto annotation, which wins (2-069)', aService({ trafficDistribution: 'PreferClose' }, AUTO), 'none'],
];
for (const [name, service, expected] of hints) {
  test(`hints with ${name}: ${expected}`, () => {
    assert.equal(hintsFor(service), expected);
  });
}

test('only ready endpoints get hints, of their zone and Node (2-066, 2-067)', () => {
  const service = aService({ trafficDistribution: 'PreferSameNode' });
  const expected = { forZones: [{ name: 'za' }], forNodes: [{ name: 'node01' }] };
  assert.deepEqual(endpointOf(aPod({ name: 'a', ip: '10.0.0.1' }), service)?.hints, expected);
  assert.equal(endpointOf(aPod({ name: 'a', ip: '10.0.0.1', ready: false }), service)?.hints, undefined);
});
