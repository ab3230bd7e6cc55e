/** Server-side apply and managedFields as a client sees them (features 8-070, 8-071, 8-073). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../test/support/api.ts';
import { eventually } from '../../test/support/eventually.ts';
import type { ManagedFieldsEntry } from '../api/managed-fields/index.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const NS = '/api/v1/namespaces/default';
const SERVICES = `${NS}/services`;
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

type Query = Record<string, string>;

const apply = (path: string, body: unknown, query: Query = {}): Promise<TestAnswer> =>
  api.request('PATCH', path, {
    headers: { 'content-type': 'application/apply-patch+yaml' },
    query: { fieldManager: 'alice', ...query },
    body,
  });
const patch = (path: string, body: unknown, query: Query = {}, type = 'merge-patch'): Promise<TestAnswer> =>
  api.request('PATCH', path, { headers: { 'content-type': `application/${type}+json` }, query, body });
const service = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec,
});
const map = (name: string, data: unknown, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

/** `alice Apply: {…}`, one line for each manager. */
function owners({ json }: TestAnswer): string[] {
  const entries = (json.metadata.managedFields ?? []) as ManagedFieldsEntry[];
  // those of one second stand by name, and a second may end between two writes: here they always do
  const orderOf = ({ operation, manager, subresource = '' }: ManagedFieldsEntry) =>
    [operation, manager, subresource].join(' ');
  const sorted = entries.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  return sorted.map(
    ({ manager = '', operation = '', subresource, fieldsV1 }) =>
      `${manager} ${operation}${subresource === undefined ? '' : ` ${subresource}`}: ${JSON.stringify(fieldsV1)}`,
  );
}

function ok(answer: TestAnswer, status = 200): TestAnswer {
  assert.equal(answer.status, status, answer.text);
  return answer;
}

test('a create is owned by its field manager, defaults included, what the server allocates not', async () => {
  const made = await api.request('POST', SERVICES, {
    body: { metadata: { name: 'made', labels: { app: 'a' } }, spec: { ports: [{ port: 80 }], selector: { app: 'a' } } },
    headers: { 'user-agent': 'kubectl/v1.36.0 (linux/amd64) kubernetes/1234567' },
  });
  const [entry, ...others] = ok(made, 201).json.metadata.managedFields as ManagedFieldsEntry[];
  assert.equal(others.length, 0);
  assert.match(entry?.time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(
    { ...entry, time: '' },
    {
      manager: 'kubectl',
      operation: 'Update',
      apiVersion: 'v1',
      time: '',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
        'f:spec': {
          'f:internalTrafficPolicy': {},
          'f:ports': {
            '.': {},
            'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} },
          },
          'f:selector': {},
          'f:sessionAffinity': {},
          'f:type': {},
        },
      },
    },
  );
});

test('a Deployment is owned as the one that kubectl create deployment makes in Kubernetes', async () => {
  const labels = { app: 'nginx' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'nginx', image: 'nginx' }] } };
  const body = {
    metadata: { name: 'golden', labels },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  };
  const made = await api.request('POST', DEPLOYMENTS, { body, query: { fieldManager: 'kubectl-create' } });
  const container = [
    'image',
    'imagePullPolicy',
    'name',
    'resources',
    'terminationMessagePath',
    'terminationMessagePolicy',
  ];
  const pod = ['dnsPolicy', 'restartPolicy', 'schedulerName', 'securityContext', 'terminationGracePeriodSeconds'];
  const fields = (names: string[]) => Object.fromEntries(names.map((name) => [`f:${name}`, {}]));
  const owned = { 'f:labels': { '.': {}, 'f:app': {} } };
  assert.deepEqual(ok(made, 201).json.metadata.managedFields[0].fieldsV1, {
    'f:metadata': owned,
    'f:spec': {
      ...fields(['progressDeadlineSeconds', 'replicas', 'revisionHistoryLimit', 'selector']),
      'f:strategy': { 'f:rollingUpdate': { '.': {}, ...fields(['maxSurge', 'maxUnavailable']) }, 'f:type': {} },
      'f:template': {
        'f:metadata': owned,
        'f:spec': { 'f:containers': { 'k:{"name":"nginx"}': { '.': {}, ...fields(container) } }, ...fields(pod) },
      },
    },
  });
});

test('apply makes what is not there, and is a no-op the second time', async () => {
  const config = service('fresh', { ports: [{ port: 80, name: 'http' }], selector: { app: 'a' } });
  const first = ok(await apply(`${SERVICES}/fresh`, config), 201);
  assert.deepEqual(owners(first), [
    'alice Apply: {"f:spec":{"f:ports":{"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{},"f:port":{}}},"f:selector":{}}}',
  ]);
  assert.match(first.json.spec.clusterIP, /^10\.96\./);
  const second = ok(await apply(`${SERVICES}/fresh`, config));
  assert.deepEqual(second.json, first.json, 'neither resourceVersion nor time have changed');
});

test('what is not applied any more goes, unless somebody else owns it', async () => {
  const path = `${NS}/configmaps/less`;
  ok(await apply(path, map('less', { a: '1', b: '2', c: '3' }, { labels: { x: 'y' } })), 201);
  ok(await apply(path, map('less', { b: '2' }), { fieldManager: 'bob' }));
  ok(await patch(path, { data: { d: '4' } }, { fieldManager: 'carol' }));
  const left = ok(await apply(path, map('less', { a: '1' })));
  assert.deepEqual(left.json.data, { a: '1', b: '2', d: '4' });
  assert.equal(left.json.metadata.labels, undefined);
  assert.deepEqual(owners(left), [
    'alice Apply: {"f:data":{"f:a":{}}}',
    'bob Apply: {"f:data":{"f:b":{}}}',
    'carol Update: {"f:data":{"f:d":{}}}',
  ]);
});

test('items of a list are owned one by one, and their order is that of the configuration', async () => {
  const path = `${SERVICES}/ports`;
  const ports = (answer: TestAnswer) =>
    (answer.json.spec.ports as { port: number; name: string }[]).map(({ port, name }) => `${name}:${String(port)}`);
  const config = (...list: [name: string, port: number][]) =>
    service('ports', { ports: list.map(([name, port]) => ({ name, port })) });
  ok(await apply(path, config(['a', 1], ['b', 2])), 201);
  const both = ok(await apply(path, config(['c', 3]), { fieldManager: 'bob' }));
  assert.deepEqual(ports(both), ['a:1', 'b:2', 'c:3']);
  const swapped = ok(await apply(path, config(['b', 2], ['a', 1])));
  assert.deepEqual(ports(swapped), ['b:2', 'a:1', 'c:3']);
  const fewer = ok(await apply(path, config(['a', 1])));
  assert.deepEqual(ports(fewer), ['a:1', 'c:3']);
});

test('to change what others own is a conflict in the words of Kubernetes, which force overcomes', async () => {
  const path = `${SERVICES}/taken`;
  ok(
    await api.request('POST', SERVICES, {
      body: service('taken', { ports: [{ port: 80, name: 'http' }], selector: { app: 'a' } }),
      query: { fieldManager: 'kubectl-create' },
    }),
    201,
  );
  const one = await apply(path, service('taken', { ports: [{ port: 80, name: 'web' }] }));
  assert.deepEqual(
    { status: one.status, ...one.json },
    {
      status: 'Failure',
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      message:
        'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .spec.ports[port=80,protocol="TCP"].name',
      reason: 'Conflict',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "kubectl-create" using v1',
            field: '.spec.ports[port=80,protocol="TCP"].name',
          },
        ],
      },
      code: 409,
    },
  );
  ok(await apply(path, service('taken', { type: 'ClusterIP', sessionAffinity: 'None' }), { fieldManager: 'bob' }));
  const both = service('taken', { selector: { app: 'b' }, sessionAffinity: 'ClientIP' });
  const two = await apply(path, both);
  assert.equal(
    two.json.message,
    'Apply failed with 3 conflicts: conflicts with "bob":\n- .spec.sessionAffinity\nconflicts with "kubectl-create" using v1:\n- .spec.selector\n- .spec.sessionAffinity',
  );
  const forced = ok(await apply(path, both, { force: 'true' }));
  assert.deepEqual(forced.json.spec.selector, { app: 'b' });
  assert.deepEqual(owners(forced).slice(0, 2), [
    'alice Apply: {"f:spec":{"f:selector":{},"f:sessionAffinity":{}}}',
    'bob Apply: {"f:spec":{"f:type":{}}}',
  ]);
});

test('the same value is no conflict but owned together', async () => {
  const path = `${NS}/configmaps/shared`;
  ok(await apply(path, map('shared', { a: '1' })), 201);
  const shared = ok(await apply(path, map('shared', { a: '1' }), { fieldManager: 'bob' }));
  assert.deepEqual(owners(shared), ['alice Apply: {"f:data":{"f:a":{}}}', 'bob Apply: {"f:data":{"f:a":{}}}']);
  const given = ok(await apply(path, map('shared', {})));
  assert.deepEqual(given.json.data, { a: '1' }, 'bob still has it');
  const gone = ok(await apply(path, map('shared', {}), { fieldManager: 'bob' }));
  assert.equal(gone.json.data?.a, undefined);
});

test('a status is applied through /status only, under an entry of its own', async () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'st' },
    spec: {
      selector: { matchLabels: { app: 'st' } },
      template: { metadata: { labels: { app: 'st' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
  const path = `${DEPLOYMENTS}/st`;
  const made = ok(await apply(path, { ...deployment, status: { replicas: 5 } }), 201);
  assert.equal(made.json.status.replicas, undefined);
  assert.doesNotMatch(owners(made)[0] ?? '', /f:status/);
  const status = { conditions: [{ type: 'Good', status: 'True' }], replicas: 3 };
  const { spec: _spec, ...head } = deployment;
  const written = ok(await apply(`${path}/status`, { ...head, status }, { fieldManager: 'bob' }));
  assert.equal(written.json.status.replicas, 3);
  assert.deepEqual(
    owners(written)[1],
    'bob Apply status: {"f:status":{"f:conditions":{"k:{\\"type\\":\\"Good\\"}":{".":{},"f:status":{},"f:type":{}}},"f:replicas":{}}}',
  );
  const other = await patch(`${path}/status`, { status: { replicas: 4 } }, { fieldManager: 'dora' });
  assert.ok(owners(ok(other)).includes('dora Update status: {"f:status":{"f:replicas":{}}}'));
  const refused = await apply(`${path}/status`, { ...head, status }, { fieldManager: 'bob' });
  assert.equal(
    refused.json.message,
    'Apply failed with 1 conflict: conflict with "dora" with subresource "status" using apps/v1: .status.replicas',
  );
  assert.equal((await apply(`${DEPLOYMENTS}/none/status`, { ...head, metadata: { name: 'none' } })).status, 404);
});

test('scaling is owned under its subresource, and applying the old number then is a conflict', async () => {
  const config = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'sc' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'sc' } },
      template: { metadata: { labels: { app: 'sc' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
  ok(await apply(`${DEPLOYMENTS}/sc`, config), 201);
  ok(await patch(`${DEPLOYMENTS}/sc/scale`, { spec: { replicas: 3 } }, { fieldManager: 'scaler' }));
  const refused = await apply(`${DEPLOYMENTS}/sc`, config);
  assert.equal(
    refused.json.message,
    'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
  );
});

test('an update owns what it changes and takes it from others; what it leaves out belongs to nobody', async () => {
  const path = `${NS}/configmaps/put`;
  ok(await apply(path, map('put', { a: '1', b: '2' })), 201);
  const put = await api.request('PUT', path, { body: map('put', { a: '9', c: '3' }), query: { fieldManager: 'bob' } });
  assert.deepEqual(owners(ok(put)), ['bob Update: {"f:data":{"f:a":{},"f:c":{}}}']);
});

test('managedFields are kept when left out, forgotten as [{}], and taken over when changed', async () => {
  const path = `${NS}/configmaps/edit`;
  const made = ok(await apply(path, map('edit', { a: '1' })), 201);
  const kept = await api.request('PUT', path, { body: map('edit', { a: '1' }) });
  assert.deepEqual(kept.json.metadata.managedFields, made.json.metadata.managedFields);
  const renamed = JSON.parse(made.text) as typeof made.json;
  renamed.metadata.managedFields[0].manager = 'alicia';
  assert.deepEqual(owners(ok(await api.request('PUT', path, { body: renamed }))), [
    'alicia Apply: {"f:data":{"f:a":{}}}',
  ]);
  const broken = JSON.parse(made.text) as typeof made.json;
  delete broken.metadata.resourceVersion;
  broken.metadata.managedFields[0].fieldsV1 = { nonsense: {} };
  assert.deepEqual(owners(ok(await api.request('PUT', path, { body: broken }))), [
    'alicia Apply: {"f:data":{"f:a":{}}}',
  ]);
  const cleared = ok(await patch(path, { metadata: { managedFields: [{}] } }));
  assert.equal(cleared.json.metadata.managedFields, undefined);
  const again = ok(
    await patch(path, [{ op: 'add', path: '/data/b', value: '2' }], { fieldManager: 'bob' }, 'json-patch'),
  );
  assert.deepEqual(owners(again), ['bob Update: {"f:data":{"f:b":{}}}']);
});

test('kubectl that applied on the client side before meets no conflict with itself, and the annotation follows (8-073)', async () => {
  const path = `${NS}/configmaps/moved`;
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const before = map('moved', { a: '1', b: '2' });
  const body = { ...before, metadata: { name: 'moved', annotations: { [annotation]: JSON.stringify(before) } } };
  ok(
    await api.request('POST', `${NS}/configmaps`, { body, query: { fieldManager: 'kubectl-client-side-apply' } }),
    201,
  );
  const kubectl = { fieldManager: 'kubectl' };
  const other = await apply(path, map('moved', { a: '5' }));
  assert.equal(other.status, 409, 'another manager has no such right');
  const moved = ok(await apply(path, map('moved', { a: '5', b: '2' }), kubectl));
  assert.deepEqual(moved.json.data, { a: '5', b: '2' });
  assert.deepEqual(JSON.parse(moved.json.metadata.annotations[annotation] as string).data, { a: '5', b: '2' });
  ok(await patch(path, { data: { b: '7' } }, { fieldManager: 'bob' }));
  const changed = await apply(path, map('moved', { a: '5', b: '8' }), kubectl);
  assert.match(changed.json.message, /1 conflict: conflict with "bob" using v1: \.data\.b$/);
});

const refusals: [what: string, body: unknown, query: Query, code: number, message: string | RegExp][] = [
  [
    'without a field manager',
    map('no', {}),
    { fieldManager: '' },
    422,
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  ],
  [
    'with a field the schema does not know',
    { ...map('no', {}), metadata: { name: 'no', namespace: 'default' }, foo: 1 },
    {},
    400,
    'failed to create typed patch object (default/no; /v1, Kind=ConfigMap): .foo: field not declared in schema',
  ],
  [
    'in another version',
    { ...map('no', {}), apiVersion: 'v2' },
    {},
    400,
    'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1',
  ],
  [
    'without a version',
    { metadata: { name: 'no' } },
    {},
    400,
    'Incorrect version specified in apply patch. Specified patch version: , expected: v1',
  ],
  ['with managedFields', map('no', {}, { managedFields: [] }), {}, 400, 'metadata.managedFields must be nil'],
  [
    'under another name',
    map('other', {}),
    {},
    400,
    'the name of the object (other) does not match the name on the URL (no)',
  ],
  ['that is no YAML', '{a: b: c}', {}, 400, /^error decoding YAML: yaml: /],
  [
    'that says a field twice',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: no}\ndata:\n  a: "1"\n  a: "2"\n',
    { fieldValidation: 'Strict' },
    400,
    'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map',
  ],
  [
    'of a uid that is not there',
    map('no', {}, { uid: 'x' }),
    {},
    409,
    /uid mismatch: the provided object specified uid x, and no existing object was found$/,
  ],
];
for (const [what, body, query, code, message] of refusals) {
  test(`a configuration ${what} is refused`, async () => {
    const answer = await apply(`${NS}/configmaps/no`, body, query);
    assert.equal(answer.json.code, code, answer.text);
    if (typeof message === 'string') assert.equal(answer.json.message, message);
    else assert.match(answer.json.message, message);
    assert.equal((await api.request('GET', `${NS}/configmaps/no`)).status, 404);
  });
}

test('only apply can be forced, and names of managers are checked', async () => {
  const forced = await patch(`${NS}/configmaps/no`, {}, { force: 'true' });
  assert.equal(
    forced.json.message,
    'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
  );
  const long = await api.request('POST', `${NS}/configmaps`, {
    body: map('no', {}),
    query: { fieldManager: 'x'.repeat(129) },
  });
  assert.equal(
    long.json.message,
    'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
  );
  assert.equal(long.status, 422);
});

test('custom resources are applied by the schema of their definition', async () => {
  const part = {
    type: 'object',
    properties: { name: { type: 'string' }, size: { type: 'integer' } },
    required: ['name'],
  };
  const schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          parts: {
            type: 'array',
            items: part,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
          },
          tags: { type: 'array', items: { type: 'string' } },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    },
  };
  const definition = {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      names: { plural: 'widgets', kind: 'Widget' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  ok(await api.request('POST', definitions, { body: definition }), 201);
  const widgets = '/apis/example.com/v1/namespaces/default/widgets';
  const path = `${widgets}/w`;
  await eventually(async () => {
    assert.notEqual((await api.request('GET', widgets)).status, 404);
  });
  const widget = (spec: object) => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec });
  ok(await apply(path, widget({ parts: [{ name: 'a', size: 1 }], tags: ['x'], free: { deep: { a: 1 } } })), 201);
  const both = ok(
    await apply(path, widget({ parts: [{ name: 'b' }], free: { deep: { b: 2 } } }), { fieldManager: 'bob' }),
  );
  assert.deepEqual(both.json.spec.free, { deep: { a: 1, b: 2 } });
  const left = ok(await apply(path, widget({ tags: ['x'] })));
  assert.deepEqual(left.json.spec, { parts: [{ name: 'b' }], tags: ['x'], free: { deep: { b: 2 } } });
  const taken = await apply(path, widget({ tags: ['y'] }), { fieldManager: 'bob' });
  assert.equal(taken.json.message, 'Apply failed with 1 conflict: conflict with "alice": .spec.tags');
  const unknown = await apply(path, widget({ colour: 'red' }));
  assert.equal(
    unknown.json.message,
    'failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.colour: field not declared in schema',
  );
});

test('appliers cannot make an object grow without end (8-076)', async () => {
  const path = `${NS}/configmaps/grown`;
  const data = Object.fromEntries(
    Array.from({ length: 4500 }, (_, index) => [`${'k'.repeat(200)}${String(index)}`, '']),
  );
  const config = map('grown', data);
  const answers: TestAnswer[] = [];
  for (let index = 0; answers.at(-1)?.status !== 413 && index < 10; index++) {
    answers.push(await apply(path, config, { fieldManager: `m${String(index)}` }));
  }
  assert.deepEqual(
    answers.slice(0, 2).map(({ status }) => status),
    [201, 200],
  );
  assert.equal(answers.at(-1)?.json.message, 'Request entity too large: limit is 3145728');
  const { json } = ok(await api.request('GET', path));
  assert.equal(json.metadata.managedFields.length, answers.length - 1);
});
