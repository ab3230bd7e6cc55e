import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAlreadyExists, isConflict, isExpired, isNotFound } from '../api/api-error.ts';
import { NAMESPACES, PODS, REPLICA_SETS, SERVICES } from '../api/kinds.ts';
import type { Namespace, Pod, ReplicaSet, Service } from '../api/types.ts';
import { FakeClock } from '../lib/clock.ts';
import { FakeClient } from './fake-client.ts';

const pod = (name: string, fields: Partial<Pod> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [] },
  ...fields,
});
const at = new FakeClock(Date.UTC(2026, 0, 1));

test('a created object gets what the server sets', async () => {
  const client = new FakeClient([], at);
  const made = await client.create(
    PODS,
    pod('', { metadata: { name: '', generateName: 'web-', namespace: 'default' } }),
  );
  assert.match(made.metadata.name, /^web-[a-z]{5}$/);
  assert.equal(made.metadata.resourceVersion, '1');
  assert.equal(made.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(made.metadata.generation, 1);
  assert.ok(made.metadata.uid);
  assert.equal(made.kind, 'Pod');
  await assert.rejects(client.create(PODS, pod(made.metadata.name)), isAlreadyExists);
});

test('a stale version is refused, a missing one is not asked for, no change makes no version', async () => {
  const client = new FakeClient([], at);
  const first = await client.create(PODS, pod('a'));
  const second = await client.update(PODS, { ...first, metadata: { ...first.metadata, labels: { x: '1' } } });
  await assert.rejects(client.update(PODS, first), isConflict);
  assert.equal((await client.update(PODS, second)).metadata.resourceVersion, second.metadata.resourceVersion);
  const forced = await client.update(PODS, pod('a', { metadata: { name: 'a', namespace: 'default' } }));
  assert.equal(forced.metadata.uid, first.metadata.uid);
  await assert.rejects(client.get(PODS, 'b', 'default'), isNotFound);
});

test('the main resource leaves status alone, the status subresource everything else', async () => {
  const client = new FakeClient([], at);
  const made = await client.create(PODS, pod('a'));
  const withStatus: Pod = { ...made, spec: { containers: [], nodeName: 'n' }, status: { phase: 'Running' } };
  const viaStatus = await client.update(PODS, withStatus, { subresource: 'status' });
  assert.deepEqual(
    [viaStatus.spec.nodeName, viaStatus.status?.phase, viaStatus.metadata.generation],
    [undefined, 'Running', 1],
  );
  const viaMain = await client.patch(PODS, 'a', 'default', 'merge', {
    spec: { nodeName: 'n' },
    status: { phase: 'Failed' },
  });
  assert.deepEqual([viaMain.spec.nodeName, viaMain.status?.phase, viaMain.metadata.generation], ['n', 'Running', 2]);
});

test('a strategic patch merges lists by their keys', async () => {
  const client = new FakeClient([], at);
  const service: Service = {
    metadata: { name: 's', namespace: 'default' },
    spec: {
      ports: [
        { port: 80, name: 'http' },
        { port: 443, name: 'https' },
      ],
    },
  };
  await client.create(SERVICES, service);
  const patched = await client.patch(SERVICES, 's', 'default', 'strategic', {
    spec: { ports: [{ port: 80, targetPort: 8080 }] },
  });
  assert.deepEqual(patched.spec.ports, [
    { port: 80, name: 'http', targetPort: 8080 },
    { port: 443, name: 'https' },
  ]);
});

test('an object with finalizers is marked, and goes when the last is removed', async () => {
  const client = new FakeClient([], at);
  await client.create(PODS, pod('a', { metadata: { name: 'a', namespace: 'default', finalizers: ['x/y'] } }));
  await client.delete(PODS, 'a', 'default');
  const marked = await client.get(PODS, 'a', 'default');
  assert.equal(marked.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
  await client.patch(PODS, 'a', 'default', 'merge', { metadata: { finalizers: [] } });
  await assert.rejects(client.get(PODS, 'a', 'default'), isNotFound);
});

test('a Pod on a node gets its grace period, and goes at once without one', async () => {
  const client = new FakeClient([], at);
  await client.create(PODS, pod('a', { spec: { containers: [], nodeName: 'n', terminationGracePeriodSeconds: 5 } }));
  await client.delete(PODS, 'a', 'default');
  const { metadata } = await client.get(PODS, 'a', 'default');
  assert.deepEqual([metadata.deletionGracePeriodSeconds, metadata.deletionTimestamp], [5, '2026-01-01T00:00:05Z']);
  await client.delete(PODS, 'a', 'default', { gracePeriodSeconds: 0 });
  assert.deepEqual(client.all(PODS), []);
  await client.create(PODS, pod('unscheduled'));
  await client.delete(PODS, 'unscheduled', 'default');
  assert.deepEqual(client.all(PODS), []);
});

test('a Namespace stays until its own finalizer is gone', async () => {
  const client = new FakeClient([], at);
  const made = await client.create<Namespace>(NAMESPACES, { metadata: { name: 'x' } });
  await client.delete(NAMESPACES, 'x');
  assert.equal((await client.get(NAMESPACES, 'x')).status?.phase, 'Terminating');
  await client.update<Namespace>(
    NAMESPACES,
    { metadata: { name: made.metadata.name }, spec: { finalizers: [] } },
    { subresource: 'finalize' },
  );
  assert.deepEqual(client.all(NAMESPACES), []);
});

test('how dependents go is left to finalizers', async () => {
  const client = new FakeClient([], at);
  for (const name of ['f', 'o']) await client.create(PODS, pod(name));
  await client.delete(PODS, 'f', 'default', { propagationPolicy: 'Foreground' });
  await client.delete(PODS, 'o', 'default', { propagationPolicy: 'Orphan' });
  assert.deepEqual(
    client.all(PODS).map(({ metadata }) => metadata.finalizers),
    [['foregroundDeletion'], ['orphan']],
  );
});

test('preconditions of a delete are held', async () => {
  const client = new FakeClient([], at);
  const { metadata } = await client.create(PODS, pod('a'));
  await assert.rejects(client.delete(PODS, 'a', 'default', { preconditions: { uid: 'other' } }), isConflict);
  await client.delete(PODS, 'a', 'default', { preconditions: { uid: metadata.uid ?? '' } });
});

test('binding, eviction and scale do their one thing', async () => {
  const client = new FakeClient([], at);
  await client.create(PODS, pod('a'));
  const binding = { metadata: { name: 'a', namespace: 'default' }, target: { name: 'node01' } };
  await client.create(PODS, binding as unknown as Pod, { subresource: 'binding' });
  assert.equal((await client.get(PODS, 'a', 'default')).spec.nodeName, 'node01');
  await assert.rejects(client.create(PODS, binding as unknown as Pod, { subresource: 'binding' }), isConflict);
  await client.create(PODS, pod('a'), { subresource: 'eviction' });
  assert.ok((await client.get(PODS, 'a', 'default')).metadata.deletionTimestamp);
  const set: ReplicaSet = { metadata: { name: 'r', namespace: 'default' }, spec: { selector: {}, replicas: 1 } };
  await client.create(REPLICA_SETS, set);
  const scale = { metadata: set.metadata, spec: { replicas: 3 } } as ReplicaSet;
  assert.equal((await client.update(REPLICA_SETS, scale, { subresource: 'scale' })).spec.replicas, 3);
});

test('lists are paged, selected and frozen', async () => {
  const client = new FakeClient([], at);
  for (const name of ['a', 'b', 'c']) {
    await client.create(
      PODS,
      pod(name, { metadata: { name, namespace: 'default', labels: { app: name === 'b' ? 'y' : 'x' } } }),
    );
  }
  const first = await client.list(PODS, { limit: 2 });
  const second = await client.list(PODS, { limit: 2, continue: first.metadata.continue ?? '' });
  assert.deepEqual(
    [...first.items, ...second.items].map(({ metadata }) => metadata.name),
    ['a', 'b', 'c'],
  );
  assert.equal(second.metadata.continue, undefined);
  const names = async (options: object) =>
    (await client.list(PODS, options)).items.map(({ metadata }) => metadata.name);
  assert.deepEqual(await names({ labelSelector: 'app=x' }), ['a', 'c']);
  assert.deepEqual(await names({ fieldSelector: 'metadata.name=b' }), ['b']);
  assert.deepEqual(await names({ namespace: 'other' }), []);
  assert.throws(() => (first.items[0]!.metadata.name = 'changed'), TypeError);
});

test('a watch from too long ago is expired, an injected failure happens once', async () => {
  const client = new FakeClient([], at);
  await client.create(PODS, pod('a'));
  client.expireHistory();
  await assert.rejects(client.watch(PODS, { resourceVersion: '0.5' }).next(), isExpired);
  client.failNext('get', new Error('away'), PODS);
  await assert.rejects(client.get(PODS, 'a', 'default'), /away/);
  await client.get(PODS, 'a', 'default');
});

test('writes are recorded in order, reads are not', async () => {
  const client = new FakeClient([], at);
  await client.create(PODS, pod('a'));
  await client.list(PODS);
  await client.update(PODS, pod('a', { status: { phase: 'Running' } }), { subresource: 'status' });
  await client.delete(PODS, 'a', 'default');
  assert.deepEqual(
    client.actions.map(({ verb, kind, name, subresource }) => [verb, kind.plural, name, subresource]),
    [
      ['create', 'pods', 'a', undefined],
      ['update', 'pods', 'a', 'status'],
      ['delete', 'pods', 'a', undefined],
    ],
  );
});
