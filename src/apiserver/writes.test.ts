import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

const map = (name: string, more: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...more } });
const pod = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const deployment = (name: string) => ({
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});
const patch = (path: string, type: string, body: unknown, query = {}) =>
  api.request('PATCH', path, { headers: { 'content-type': `application/${type}+json` }, body, query });

test('create answers 201 with uid, time and resourceVersion (8-061)', async () => {
  const { status, json } = await api.request('POST', MAPS, { body: { ...map('a'), data: { a: '1' } } });
  assert.equal(status, 201);
  assert.match(json.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.match(json.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(json.metadata.resourceVersion, String(api.store.revision()));
  assert.deepEqual((await api.request('GET', `${MAPS}/a`)).json, json);
});

test('generateName makes names that differ (1-012)', async () => {
  const names = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { json } = await api.request('POST', MAPS, { body: { metadata: { generateName: 'gen-' } } });
      return json.metadata.name as string;
    }),
  );
  assert.equal(new Set(names).size, 20);
  assert.ok(names.every((name) => /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(name)));
});

test('a name or generateName is required', async () => {
  const { status, json } = await api.request('POST', MAPS, { body: {} });
  assert.equal(status, 422);
  assert.match(json.message, /metadata.name: Required value: name or generateName is required/);
});

test('a stale resourceVersion is a conflict, none at all is not; the same content is no new version (8-064, 8-066, 1-007)', async () => {
  const { json } = await api.request('POST', MAPS, { body: { ...map('b'), data: { a: '1' } } });
  const second = await api.request('PUT', `${MAPS}/b`, { body: { ...json, data: { a: '2' } } });
  assert.equal(second.status, 200);
  const stale = await api.request('PUT', `${MAPS}/b`, { body: { ...json, data: { a: '3' } } });
  assert.equal(stale.status, 409);
  assert.equal(
    stale.json.message,
    'Operation cannot be fulfilled on configmaps "b": the object has been modified; please apply your changes to the latest version and try again',
  );
  assert.equal(stale.json.reason, 'Conflict');
  const blind = await api.request('PUT', `${MAPS}/b`, { body: { ...map('b'), data: { a: '4' } } });
  assert.equal(blind.status, 200);
  const same = await api.request('PUT', `${MAPS}/b`, { body: { data: { a: '4' }, ...map('b') } });
  assert.equal(same.json.metadata.resourceVersion, blind.json.metadata.resourceVersion);
});

test('another uid is refused, and metadata of the server cannot be changed (8-065, 1-013)', async () => {
  const uid = '00000000-0000-4000-8000-000000000000';
  const { json } = await api.request('PUT', `${MAPS}/b`, { body: map('b', { uid }) });
  assert.match(json.message, /Precondition failed: UID in precondition: 00000000-.*, UID in object meta: /);
  const time = await patch(`${MAPS}/b`, 'merge-patch', { metadata: { creationTimestamp: '2001-01-01T00:00:00Z' } });
  assert.match(time.json.message, /metadata.creationTimestamp: Invalid value: .*: field is immutable/);
});

test('PUT to a missing name creates a Service, but not a ConfigMap (1-006)', async () => {
  const body = { metadata: { name: 'by-put' }, spec: { ports: [{ port: 80 }] } };
  const made = await api.request('PUT', '/api/v1/namespaces/default/services/by-put', { body });
  assert.equal(made.status, 201, made.text);
  assert.equal((await api.request('PUT', `${MAPS}/by-put`, { body: map('by-put') })).status, 404);
});

test('status and spec are written through their own paths only (8-084, 1-004, 1-005)', async () => {
  const made = await api.request('POST', DEPLOYMENTS, { body: { ...deployment('st'), status: { replicas: 9 } } });
  assert.deepEqual(made.json.status, {});
  assert.equal(made.json.metadata.generation, 1);
  const main = await patch(`${DEPLOYMENTS}/st`, 'merge-patch', { status: { replicas: 9 }, spec: { replicas: 3 } });
  assert.deepEqual([main.json.status, main.json.spec.replicas, main.json.metadata.generation], [{}, 3, 2]);
  const status = await patch(`${DEPLOYMENTS}/st/status`, 'merge-patch', {
    status: { replicas: 9 },
    spec: { replicas: 1 },
  });
  assert.deepEqual(
    [status.json.status, status.json.spec.replicas, status.json.metadata.generation],
    [{ replicas: 9 }, 3, 2],
  );
});

test('the three kinds of patch (8-067 to 8-069)', async () => {
  await api.request('POST', DEPLOYMENTS, { body: deployment('p') });
  const path = `${DEPLOYMENTS}/p`;
  const json = await patch(path, 'json-patch', [
    { op: 'test', path: '/spec/replicas', value: 2 },
    { op: 'replace', path: '/spec/replicas', value: 4 },
    { op: 'add', path: '/metadata/labels', value: { a: 'b' } },
  ]);
  assert.deepEqual([json.json.spec.replicas, json.json.metadata.labels], [4, { a: 'b' }]);
  const merge = await patch(path, 'merge-patch', { metadata: { labels: { a: null, c: 'd' } } });
  assert.deepEqual(merge.json.metadata.labels, { c: 'd' });
  const strategic = await patch(path, 'strategic-merge-patch', {
    spec: { template: { spec: { containers: [{ name: 'd', image: 'j' }] } } },
  });
  const names = (strategic.json.spec.template.spec.containers as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['c', 'd']);
});

const badPatches: [what: string, type: string, body: unknown, code: number, text: RegExp][] = [
  ['a failed test', 'json-patch', [{ op: 'test', path: '/spec/replicas', value: 77 }], 422, /Test failed|test/i],
  ['a missing path', 'json-patch', [{ op: 'remove', path: '/nothing/here' }], 422, /path/i],
  ['no list', 'json-patch', { op: 'add' }, 400, /list of operations/],
  ['an unknown operation', 'json-patch', [{ op: 'explode', path: '/' }], 400, /not an operation/],
  ['a list', 'merge-patch', [], 400, /must be an object/],
  ['malformed JSON', 'merge-patch', '{"a":', 400, /json parse error/],
  ['a wrong type', 'merge-patch', { spec: { replicas: 'x' } }, 400, /cannot unmarshal string/],
  [
    'another name',
    'merge-patch',
    { metadata: { name: 'other' } },
    422,
    /metadata.name: Invalid value: "other": field is immutable/,
  ],
  [
    'too many operations',
    'json-patch',
    Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 })),
    413,
    /10000/,
  ],
];
for (const [what, type, body, code, text] of badPatches) {
  test(`a ${type} with ${what} is refused and changes nothing`, async () => {
    const before = api.store.revision();
    const { status, json } = await patch(`${DEPLOYMENTS}/p`, type, body);
    assert.equal(status, code, json.message);
    assert.match(json.message, text);
    assert.equal(api.store.revision(), before);
  });
}

test('a patch with unknown fields is refused when strict (8-015)', async () => {
  const { status, json } = await patch(
    `${DEPLOYMENTS}/p`,
    'merge-patch',
    { spec: { foo: 1 } },
    { fieldValidation: 'Strict' },
  );
  assert.equal(status, 422);
  assert.match(json.message, /patch: Invalid value: .*: strict decoding error: unknown field "spec.foo"/);
});

test('concurrent patches all arrive; one with a stale resourceVersion does not (8-075)', async () => {
  const { json } = await api.request('POST', MAPS, { body: map('many') });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      patch(`${MAPS}/many`, 'merge-patch', { data: { [`k${String(index)}`]: 'v' } }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(Object.keys((await api.request('GET', `${MAPS}/many`)).json.data).length, 8);
  const { resourceVersion } = json.metadata;
  const stale = await patch(`${MAPS}/many`, 'merge-patch', { metadata: { resourceVersion }, data: { x: 'y' } });
  assert.equal(stale.status, 409);
});

test('dry runs say what would be, and store nothing (8-077)', async () => {
  const dryRun = { dryRun: 'All' };
  const before = api.store.revision();
  assert.equal((await api.request('POST', MAPS, { body: map('dry'), query: dryRun })).status, 201);
  assert.equal((await api.request('POST', MAPS, { body: map('a'), query: dryRun })).status, 409);
  assert.deepEqual((await patch(`${MAPS}/a`, 'merge-patch', { data: { a: 'x' } }, dryRun)).json.data, { a: 'x' });
  assert.equal((await api.request('DELETE', `${MAPS}/a`, { query: dryRun })).status, 200);
  assert.equal((await api.request('DELETE', `${MAPS}/a`, { body: { dryRun: ['All'] } })).status, 200);
  assert.equal(api.store.revision(), before);
});

test('scale reads and writes the number of replicas (8-085)', async () => {
  const path = `${DEPLOYMENTS}/p/scale`;
  const { json } = await api.request('GET', path);
  assert.deepEqual([json.kind, json.apiVersion, json.status.selector], ['Scale', 'autoscaling/v1', 'app=p']);
  assert.equal((await api.request('PUT', path, { body: { ...json, spec: { replicas: 7 } } })).json.spec.replicas, 7);
  const stale = await api.request('PUT', path, { body: { ...json, spec: { replicas: 8 } } });
  assert.equal(stale.status, 409);
  assert.equal((await patch(path, 'merge-patch', { spec: { replicas: 1 } })).json.spec.replicas, 1);
  assert.equal((await api.request('GET', `${DEPLOYMENTS}/p`)).json.spec.replicas, 1);
  const negative = await patch(path, 'merge-patch', { spec: { replicas: -1 } });
  assert.equal(negative.status, 422);
});

test('a Pod is bound once (8-086)', async () => {
  await api.request('POST', PODS, { body: pod('bind') });
  const bind = (name: string) =>
    api.request('POST', `${PODS}/bind/binding`, {
      body: { metadata: { name: 'bind' }, target: { kind: 'Node', name } },
    });
  assert.equal((await bind('node01')).status, 201);
  const again = await bind('node02');
  assert.deepEqual([again.status, again.json.reason], [409, 'Conflict']);
  const { json } = await api.request('GET', `${PODS}/bind`);
  assert.equal(json.spec.nodeName, 'node01');
  assert.ok((json.status.conditions as { type: string }[]).some(({ type }) => type === 'PodScheduled'));
});

test('every container of a Pod gets the service account token, unless it is not wanted', async () => {
  const { json } = await api.request('POST', PODS, { body: pod('sa') });
  const [volume] = json.spec.volumes;
  assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.equal(json.spec.serviceAccountName, 'default');
  assert.deepEqual(json.spec.containers[0].volumeMounts, [
    { name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
  ]);
  const without = await api.request('POST', PODS, { body: pod('no-sa', { automountServiceAccountToken: false }) });
  assert.equal(without.json.spec.volumes, undefined);
  const unknown = await api.request('POST', PODS, { body: pod('x', { serviceAccountName: 'nobody' }) });
  assert.equal(unknown.status, 403);
  assert.equal(
    unknown.json.message,
    'pods "x" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
  );
});
