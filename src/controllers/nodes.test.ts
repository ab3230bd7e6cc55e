import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEASES, NODES, PODS } from '../api/kinds.ts';
import { isPodReady } from '../api/pods.ts';
import type { Core, Lease, Node } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { formatCidr, parseCidr } from '../lib/cidr.ts';
import { evictionTime, planTaints, silentConditions } from './node-health.ts';
import { nextPodCidr, nodeIpamController } from './node-ipam.ts';
import { nodeLifecycleController } from './node-lifecycle.ts';
import { aNode, aPod, runFor, until } from './test-objects.ts';

const NOW = '2026-01-01T00:00:00Z';
const taintTable: [string, Node, string[] | undefined][] = [
  ['ready', aNode('n'), undefined],
  ['not ready', aNode('n', { ready: 'False' }), ['not-ready:NoSchedule', 'not-ready:NoExecute']],
  ['unknown', aNode('n', { ready: 'Unknown' }), ['unreachable:NoSchedule', 'unreachable:NoExecute']],
  ['cordoned', { ...aNode('n'), spec: { unschedulable: true } }, ['unschedulable:NoSchedule']],
  [
    'short of memory',
    { ...aNode('n'), status: { conditions: [{ type: 'MemoryPressure', status: 'True' }] } },
    ['memory-pressure:NoSchedule'],
  ],
  [
    'ready again',
    { ...aNode('n'), spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] } },
    [],
  ],
  [
    'ready, with a taint of somebody’s own',
    { ...aNode('n'), spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] } },
    undefined,
  ],
];
for (const [name, node, expected] of taintTable) {
  test(`taints of a Node that is ${name}`, () => {
    const taints = planTaints(node, NOW)?.map(
      ({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`,
    );
    assert.deepEqual(taints, expected);
  });
}

test('a taint that stays keeps the time it was added, for eviction counts from there', () => {
  const since = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2025-01-01T00:00:00Z' };
  const node = { ...aNode('n', { ready: 'Unknown' }), spec: { taints: [since], unschedulable: true } };
  assert.ok(planTaints(node, NOW)?.includes(since));
});

test('a silent kubelet’s conditions become Unknown once, with the two known reasons', () => {
  const conditions = silentConditions(aNode('n'), NOW);
  assert.deepEqual(
    conditions?.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ],
  );
  assert.equal(silentConditions({ ...aNode('n'), status: { conditions: conditions! } }, 'later'), undefined);
});

const unreachable: Core.Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: NOW };
const at = Date.parse(NOW);
const evictions: [string, Core.Toleration[], Core.Taint, number | undefined][] = [
  ['five minutes where the Pod says nothing', [], unreachable, at + 300_000],
  ['at once for a taint of somebody’s own', [], { key: 'out', effect: 'NoExecute' }, at + 1],
  [
    'as many seconds as it tolerates',
    [{ key: unreachable.key, operator: 'Exists', tolerationSeconds: 7 }],
    unreachable,
    at + 7000,
  ],
  [
    'the shortest of several',
    [
      { operator: 'Exists', tolerationSeconds: 9 },
      { operator: 'Exists', tolerationSeconds: 3 },
    ],
    unreachable,
    at + 3000,
  ],
  ['never where it tolerates for ever', [{ operator: 'Exists' }], unreachable, undefined],
  ['never for a NoSchedule taint', [], { key: 'x', effect: 'NoSchedule' }, undefined],
];
for (const [name, tolerations, taint, expected] of evictions) {
  test(`eviction: ${name}`, () => {
    assert.equal(evictionTime(aPod({ name: 'a', spec: { tolerations } }), [taint], at + 1), expected);
  });
}

const lease = (name: string, renewTime: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'kube-node-lease' },
  spec: { renewTime },
});

test('a Node whose kubelet goes silent loses its Pods from the endpoints, and in the end its Pods (7-025)', async (t) => {
  const clock = new FakeClock(at);
  const client = new FakeClient([aNode('node01'), lease('node01', 'a'), aPod({ name: 'one', ip: '10.0.0.1' })], clock);
  const running = runFor(t, client, [nodeLifecycleController()], clock);
  await running.idle();
  clock.advance(39_000);
  await running.idle();
  assert.equal(client.all(NODES)[0]?.status?.conditions?.[0]?.status, 'True');
  clock.advance(1000);
  await until(client, NODES, ([node]) => (node?.spec?.taints ?? []).length === 2);
  await until(client, PODS, ([pod]) => pod !== undefined && !isPodReady(pod));
  await running.idle();
  clock.advance(300_000);
  await until(client, PODS, ([pod]) => pod?.metadata.deletionTimestamp !== undefined || pod === undefined);
});

test('a Lease renewed in time keeps the Node', async (t) => {
  const clock = new FakeClock(at);
  const client = new FakeClient([aNode('node01'), lease('node01', 'a')], clock);
  const running = runFor(t, client, [nodeLifecycleController({ nodeMonitorGracePeriod: 1000 })], clock);
  for (const renewTime of ['b', 'c', 'd']) {
    await running.idle();
    clock.advance(900);
    await client.patch(LEASES, 'node01', 'kube-node-lease', 'merge', { spec: { renewTime } });
    await until(client, LEASES, ([only]) => only?.spec?.renewTime === renewTime);
  }
  await running.idle();
  assert.equal(client.all(NODES)[0]?.status?.conditions?.[0]?.status, 'True');
});

test('a kubelet that is back has the last word on its Pods before its Node is Ready again', async (t) => {
  const clock = new FakeClock(at);
  const client = new FakeClient([aNode('node01'), lease('node01', 'a'), aPod({ name: 'one', ip: '10.0.0.1' })], clock);
  const running = runFor(t, client, [nodeLifecycleController()], clock);
  await running.idle();
  clock.advance(40_000);
  const [silenced] = await until(client, PODS, ([pod]) => pod !== undefined && !isPodReady(pod));
  await running.idle();
  await client.patch(LEASES, 'node01', 'kube-node-lease', 'merge', { spec: { renewTime: 'b' } });
  await running.idle();
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  await client.update(PODS, { ...silenced!, status: { ...silenced!.status, ...status } }, { subresource: 'status' });
  await new Promise(setImmediate);
  await running.idle();
  assert.equal(isPodReady(client.all(PODS)[0]!), true);
});

test('a Node that comes back loses its taints', async (t) => {
  const taints = [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: NOW }];
  const client = new FakeClient([{ ...aNode('node01', { ready: 'Unknown' }), spec: { taints } } as Node]);
  runFor(t, client, [nodeLifecycleController()]);
  await until(client, NODES, ([node]) => node?.spec?.taints?.length === 2);
  const [node] = client.all(NODES);
  await client.update(
    NODES,
    { ...node!, status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    { subresource: 'status' },
  );
  await until(client, NODES, ([only]) => (only?.spec?.taints ?? []).length === 0);
});

test('Pods of a Node that is gone are removed after the grace period', async (t) => {
  const clock = new FakeClock(at);
  const client = new FakeClient([aPod({ name: 'one', ip: '10.0.0.1', node: 'gone' })], clock);
  const running = runFor(t, client, [nodeLifecycleController({ nodeMonitorGracePeriod: 1000 })], clock);
  await running.idle();
  assert.equal(client.all(PODS).length, 1);
  clock.advance(1000);
  await until(client, PODS, (pods) => pods.length === 0);
});

const cluster = parseCidr('10.244.0.0/22')!;
const parts: [string[], string | undefined][] = [
  [[], '10.244.0.0/24'],
  [['10.244.0.0/24'], '10.244.1.0/24'],
  [['10.244.1.0/24', '10.244.0.128/25'], '10.244.2.0/24'],
  [['10.244.0.0/23'], '10.244.2.0/24'],
  [['10.244.0.0/16'], undefined],
];
for (const [taken, expected] of parts) {
  test(`with ${taken.join(' and ') || 'nothing'} taken the next part is ${String(expected)}`, () => {
    const part = nextPodCidr(
      cluster,
      24,
      taken.map((text) => parseCidr(text)!),
    );
    assert.equal(part && formatCidr(part), expected);
  });
}

const cidrs = (nodes: Node[]) => nodes.map(({ spec }) => spec?.podCIDR ?? '-');

test('Nodes that come together get different parts; a part is free again when its Node goes', async (t) => {
  const client = new FakeClient(['a', 'b', 'c'].map((name) => aNode(name)));
  runFor(t, client, [nodeIpamController({ clusterCidr: '10.244.0.0/23' })]);
  const nodes = await until(client, NODES, (all) => all.filter(({ spec }) => spec?.podCIDR).length === 2);
  assert.deepEqual(cidrs(nodes), ['10.244.0.0/24', '10.244.1.0/24', '-']);
  await client.delete(NODES, 'a');
  await until(client, NODES, (all) => all.length === 2 && cidrs(all).includes('10.244.0.0/24'));
});

test('a cluster range that is none is refused at the start', () => {
  assert.throws(() => nodeIpamController({ clusterCidr: '10.244.0.0' }), /"10.244.0.0" is not a network prefix/);
});
