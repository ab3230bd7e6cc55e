import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';

let api: TestApi;
const PODS = '/api/v1/namespaces/default/pods';
const IT = `${PODS}/web/ephemeralcontainers`;
const spec = {
  volumes: [{ name: 'v', emptyDir: {} }],
  containers: [{ name: 'c', image: 'i' }],
};
before(async () => {
  api = await startTestApi();
  await api.request('POST', PODS, { body: { metadata: { name: 'web' }, spec } });
});
after(() => api.stop());

const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
const add = (container: object) =>
  api.request('PATCH', IT, { headers: strategic, body: { spec: { ephemeralContainers: [container] } } });

test('a Pod is not made with ephemeral containers', async () => {
  const body = { metadata: { name: 'b' }, spec: { ...spec, ephemeralContainers: [{ name: 'e', image: 'i' }] } };
  const { status, json } = await api.request('POST', PODS, { body });
  assert.equal(status, 422);
  assert.match(json.message, /spec\.ephemeralContainers: Forbidden: cannot be set on create/);
});

test('kubectl debug adds one with defaults, and nothing else of the Pod changes', async () => {
  const before = (await api.request('GET', `${PODS}/web`)).json;
  const { status, json } = await add({ name: 'debugger', image: 'busybox:1', stdin: true, targetContainerName: 'c' });
  assert.equal(status, 200);
  assert.deepEqual(json.spec.ephemeralContainers, [
    {
      name: 'debugger',
      image: 'busybox:1',
      stdin: true,
      targetContainerName: 'c',
      imagePullPolicy: 'IfNotPresent',
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      resources: {},
    },
  ]);
  assert.equal(json.metadata.generation, before.metadata.generation + 1);
  const { ephemeralContainers: _, ...rest } = json.spec;
  assert.deepEqual(rest, before.spec);
  const put = structuredClone(json);
  put.spec.containers[0].image = 'other';
  put.metadata.labels = { a: 'b' };
  const same = await api.request('PUT', IT, { body: put });
  assert.equal(same.status, 200);
  assert.equal(same.json.metadata.resourceVersion, json.metadata.resourceVersion, 'only the list is taken over');
  assert.deepEqual((await api.request('GET', IT)).json, json);
});

const refused: [what: string, container: object, message: string][] = [
  ['the name of another container', { name: 'c', image: 'i' }, '[0].name: Duplicate value: "c"'],
  ['no name', { image: 'i' }, 'name'],
  ['no image', { name: 'e' }, '[0].image: Required value'],
  ['an unknown target', { name: 'e', image: 'i', targetContainerName: 'x' }, '[0].targetContainerName: Not found: "x"'],
  [
    'an ephemeral target',
    { name: 'e', image: 'i', targetContainerName: 'debugger' },
    '[0].targetContainerName: Not found: "debugger"',
  ],
  [
    'ports',
    { name: 'e', image: 'i', ports: [{ containerPort: 1 }] },
    '[0].ports: Forbidden: cannot be set for an Ephemeral Container',
  ],
  [
    'resources',
    { name: 'e', image: 'i', resources: { limits: { cpu: '1' } } },
    '[0].resources: Forbidden: cannot be set for an Ephemeral Container',
  ],
  [
    'a probe',
    { name: 'e', image: 'i', livenessProbe: { exec: { command: ['x'] } } },
    '[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container',
  ],
  [
    'a subPath',
    { name: 'e', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a' }] },
    '[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container',
  ],
  [
    'a volume the Pod has not',
    { name: 'e', image: 'i', volumeMounts: [{ name: 'w', mountPath: '/v' }] },
    '[0].volumeMounts[0].name: Not found: "w"',
  ],
  [
    'another image of one that is there',
    { name: 'debugger', image: 'other' },
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debugger" may not be changed',
  ],
];
for (const [what, container, message] of refused) {
  test(`an ephemeral container with ${what} is refused`, async () => {
    const { status, json } = await add(container);
    assert.ok(status === 422 || status === 400, String(status));
    assert.ok(json.message.includes(message), json.message);
  });
}

test('one that was added is not removed', async () => {
  const pod = (await api.request('GET', IT)).json;
  pod.spec.ephemeralContainers = [];
  const { status, json } = await api.request('PUT', IT, { body: pod });
  assert.equal(status, 422);
  assert.match(json.message, /existing ephemeral containers "debugger" may not be removed/);
});

test('the Pod itself cannot bring them in, nor lose them', async () => {
  const more = { spec: { ephemeralContainers: [{ name: 'x', image: 'i' }] } };
  const { status, json } = await api.request('PATCH', `${PODS}/web`, { headers: strategic, body: more });
  assert.equal(status, 422);
  assert.match(json.message, /pod updates may not change fields other than/);
  const label = await api.request('PATCH', `${PODS}/web`, {
    headers: strategic,
    body: { metadata: { labels: { a: '1' } } },
  });
  assert.deepEqual([label.status, label.json.spec.ephemeralContainers.length], [200, 1]);
});

test('a list of the kind that kubectl before 1.23 sends is added', async () => {
  const body = {
    kind: 'EphemeralContainers',
    apiVersion: 'v1',
    metadata: { creationTimestamp: null },
    ephemeralContainers: [{ name: 'old', image: 'busybox:1' }],
  };
  const { status, json } = await api.request('PUT', IT, { body });
  assert.equal(status, 200);
  assert.deepEqual(
    json.spec.ephemeralContainers.map(({ name }: { name: string }) => name),
    ['debugger', 'old'],
  );
});

test('a stale resourceVersion is a conflict, a Pod that is not there is not found, and other verbs are not allowed', async () => {
  const pod = (await api.request('GET', IT)).json;
  assert.equal(
    (await api.request('PUT', IT, { body: { ...pod, metadata: { ...pod.metadata, resourceVersion: '1' } } })).status,
    409,
  );
  assert.equal((await api.request('GET', `${PODS}/no/ephemeralcontainers`)).status, 404);
  assert.equal((await api.request('POST', IT, { body: pod })).status, 405);
});

test('discovery tells of it', async () => {
  const { json } = await api.request('GET', '/api/v1');
  const found = json.resources.find(({ name }: { name: string }) => name === 'pods/ephemeralcontainers');
  assert.deepEqual([found.kind, found.verbs], ['Pod', ['get', 'patch', 'update']]);
});
