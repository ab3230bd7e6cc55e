import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import type { KubeObject } from '../api/types.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const create = (path: string, name: string, more: object = {}, rest: object = {}) =>
  api.request('POST', path, { body: { metadata: { name, ...more }, ...rest } });
const running = async (name: string, grace = 30) => {
  const spec = { nodeName: 'node01', terminationGracePeriodSeconds: grace, containers: [{ name: 'c', image: 'i' }] };
  const made = await create(PODS, name, {}, { spec });
  assert.equal(made.status, 201, made.text);
};

test('an object without reasons to stay is gone at once, and the answer says which it was (8-078)', async () => {
  const { json } = await create(MAPS, 'a');
  const deleted = await api.request('DELETE', `${MAPS}/a`);
  assert.equal(deleted.status, 200);
  assert.deepEqual(deleted.json, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'a', kind: 'configmaps', uid: json.metadata.uid },
  });
  assert.equal((await api.request('GET', `${MAPS}/a`)).status, 404);
});

test('preconditions are checked (8-079)', async () => {
  const { json } = await create(MAPS, 'pre');
  const remove = (preconditions: object) => api.request('DELETE', `${MAPS}/pre`, { body: { preconditions } });
  const uid = await remove({ uid: 'x' });
  assert.deepEqual([uid.status, uid.json.reason], [409, 'Conflict']);
  assert.match(uid.json.message, /Precondition failed: UID in precondition: x, UID in object meta: /);
  assert.equal((await remove({ resourceVersion: '1' })).status, 409);
  const { uid: right, resourceVersion } = json.metadata;
  assert.equal((await remove({ uid: right, resourceVersion })).status, 200);
});

test('finalizers hold an object until the last is gone; none may be added meanwhile (8-081)', async () => {
  await create(MAPS, 'held', { finalizers: ['example.com/a', 'example.com/b'] });
  const deleted = await api.request('DELETE', `${MAPS}/held`);
  assert.equal(deleted.status, 202);
  assert.equal(deleted.json.metadata.deletionGracePeriodSeconds, 0);
  const patch = (finalizers: string[]) =>
    api.request('PATCH', `${MAPS}/held`, {
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { finalizers } },
    });
  assert.equal((await patch(['example.com/b', 'example.com/c'])).status, 422);
  assert.equal((await patch(['example.com/b'])).status, 200);
  assert.equal((await api.request('GET', `${MAPS}/held`)).status, 200);
  assert.equal((await patch([])).status, 200);
  assert.equal((await api.request('GET', `${MAPS}/held`)).status, 404);
});

test('propagation policies become finalizers for the garbage collector (8-082)', async () => {
  const held = async (name: string, propagationPolicy: string) => {
    await create(MAPS, name);
    const { status } = await api.request('DELETE', `${MAPS}/${name}`, { body: { propagationPolicy } });
    const { json } = await api.request('GET', `${MAPS}/${name}`);
    return [status, json.metadata?.finalizers];
  };
  assert.deepEqual(await held('fg', 'Foreground'), [202, ['foregroundDeletion']]);
  assert.deepEqual(await held('or', 'Orphan'), [202, ['orphan']]);
  assert.deepEqual(await held('bg', 'Background'), [200, undefined]);
  await create(MAPS, 'what');
  const { status } = await api.request('DELETE', `${MAPS}/what`, { body: { propagationPolicy: 'Later' } });
  assert.equal(status, 422);
});

test('a Pod on a node is given its grace; a second delete only shortens it; the kubelet ends it (7-028, 7-035)', async () => {
  await running('p');
  const first = await api.request('DELETE', `${PODS}/p`);
  assert.equal(first.status, 200);
  assert.equal(first.json.metadata.deletionGracePeriodSeconds, 30);
  const due = Date.parse(first.json.metadata.deletionTimestamp);
  assert.ok(Math.abs(due - Date.now() - 30_000) < 3000);
  const longer = await api.request('DELETE', `${PODS}/p`, { body: { gracePeriodSeconds: 60 } });
  assert.equal(longer.json.metadata.deletionGracePeriodSeconds, 30);
  const shorter = await api.request('DELETE', `${PODS}/p`, { body: { gracePeriodSeconds: 5 } });
  assert.equal(shorter.json.metadata.deletionGracePeriodSeconds, 5);
  assert.equal(Date.parse(shorter.json.metadata.deletionTimestamp), due - 25_000);
  assert.equal((await api.request('DELETE', `${PODS}/p`, { query: { gracePeriodSeconds: '0' } })).status, 200);
  assert.equal((await api.request('GET', `${PODS}/p`)).status, 404);
});

test('a Pod that never had a node is gone at once', async () => {
  await create(PODS, 'unscheduled', {}, { spec: { containers: [{ name: 'c', image: 'i' }] } });
  const { json } = await api.request('DELETE', `${PODS}/unscheduled`);
  assert.equal(json.kind, 'Pod', 'Pods answer themselves, not a Status');
  assert.equal((await api.request('GET', `${PODS}/unscheduled`)).status, 404);
});

test('deletecollection takes what the selector says and nothing else (8-080, 1-009)', async () => {
  for (const name of ['x1', 'x2', 'y1']) await create(MAPS, name, { labels: { group: name[0] } });
  const { status, json } = await api.request('DELETE', MAPS, { query: { labelSelector: 'group=x' } });
  assert.equal(status, 200);
  assert.deepEqual(
    (json.items as KubeObject[]).map(({ metadata }) => metadata.name),
    ['x1', 'x2'],
  );
  assert.equal((await api.request('GET', `${MAPS}/y1`)).status, 200);
});

test('a namespace goes in two steps, and nothing new comes in between (8-062, 8-083)', async () => {
  const made = await create('/api/v1/namespaces', 'going');
  assert.deepEqual([made.json.spec.finalizers, made.json.status.phase], [['kubernetes'], 'Active'], made.text);
  assert.equal(made.json.metadata.labels['kubernetes.io/metadata.name'], 'going');
  const deleted = await api.request('DELETE', '/api/v1/namespaces/going');
  assert.equal(deleted.json.status.phase, 'Terminating');
  const late = await create('/api/v1/namespaces/going/configmaps', 'late');
  assert.equal(late.status, 403);
  assert.equal(late.json.details.causes[0].reason, 'NamespaceTerminating');
  assert.match(late.json.message, /unable to create new content in namespace going because it is being terminated/);
  const { json } = await api.request('GET', '/api/v1/namespaces/going');
  const finalized = await api.request('PUT', '/api/v1/namespaces/going/finalize', {
    body: { ...json, spec: { finalizers: [] } },
  });
  assert.equal(finalized.status, 200, finalized.text);
  assert.equal((await api.request('GET', '/api/v1/namespaces/going')).status, 404);
});

test('an eviction is a deletion that a disruption budget may refuse (8-086)', async () => {
  await running('evicted');
  const evict = () => api.request('POST', `${PODS}/evicted/eviction`, { body: { metadata: { name: 'evicted' } } });
  const setPhase = (path: string, body: object) =>
    api.request('PATCH', path, { headers: { 'content-type': 'application/merge-patch+json' }, body });
  await setPhase(`${PODS}/evicted`, { metadata: { labels: { app: 'e' } } });
  await setPhase(`${PODS}/evicted/status`, {
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  await create(BUDGETS, 'budget', {}, { spec: { minAvailable: 1, selector: { matchLabels: { app: 'e' } } } });
  const numbers = { currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 };
  await setPhase(`${BUDGETS}/budget/status`, { status: { disruptionsAllowed: 0, ...numbers } });
  const refused = await evict();
  assert.deepEqual([refused.status, refused.json.reason], [429, 'TooManyRequests'], refused.text);
  await setPhase(`${BUDGETS}/budget/status`, { status: { disruptionsAllowed: 1, ...numbers } });
  assert.equal((await evict()).status, 201);
  const { json } = await api.request('GET', `${PODS}/evicted`);
  assert.ok(json.metadata.deletionTimestamp);
});

test('a Pod that is not ready is evicted if enough others are healthy, or always where the budget says so', async () => {
  const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  const merge = (path: string, body: object) =>
    api.request('PATCH', path, { headers: { 'content-type': 'application/merge-patch+json' }, body });
  const spec = { minAvailable: 1, selector: { matchLabels: { app: 'sick' } } };
  await create(BUDGETS, 'sick', {}, { spec });
  const rows = [
    { unhealthyPodEvictionPolicy: 'IfHealthyBudget', currentHealthy: 0, status: 429 },
    { unhealthyPodEvictionPolicy: 'IfHealthyBudget', currentHealthy: 1, status: 201 },
    { unhealthyPodEvictionPolicy: 'AlwaysAllow', currentHealthy: 0, status: 201 },
  ];
  for (const [index, { unhealthyPodEvictionPolicy, currentHealthy, status }] of rows.entries()) {
    const name = `sick-${String(index)}`;
    await running(name);
    await merge(`${PODS}/${name}`, { metadata: { labels: { app: 'sick' } } });
    await merge(`${PODS}/${name}/status`, { status: { phase: 'Running' } });
    await merge(`${BUDGETS}/sick`, { spec: { unhealthyPodEvictionPolicy } });
    const numbers = { disruptionsAllowed: 0, currentHealthy, desiredHealthy: 1, expectedPods: 1 };
    await merge(`${BUDGETS}/sick/status`, { status: numbers });
    const answer = await api.request('POST', `${PODS}/${name}/eviction`, { body: { metadata: { name } } });
    assert.equal(answer.status, status, answer.text);
  }
});
