import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi, type TestRequest } from '../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const NS = '/api/v1/namespaces/default';
const service = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });

/** Everything a client can get wrong, the answer it gets, and that nothing is stored by it. */
const refusals: [what: string, method: string, path: string, request: TestRequest, status: object][] = [
  [
    'an invalid field',
    'POST',
    `${NS}/services`,
    { body: service('bad', { ports: [{ port: 0, targetPort: 80 }] }) },
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Service "bad" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      reason: 'Invalid',
      details: {
        name: 'bad',
        kind: 'Service',
        causes: [
          {
            reason: 'FieldValueInvalid',
            message: 'Invalid value: 0: must be between 1 and 65535, inclusive',
            field: 'spec.ports[0].port',
          },
        ],
      },
      code: 422,
    },
  ],
  [
    'no ports at all',
    'POST',
    `${NS}/services`,
    { body: service('bad', {}) },
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Service "bad" is invalid: spec.ports: Required value',
      reason: 'Invalid',
      details: {
        name: 'bad',
        kind: 'Service',
        causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.ports' }],
      },
      code: 422,
    },
  ],
  [
    'a Service that is not there',
    'GET',
    `${NS}/services/x`,
    {},
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'services "x" not found',
      reason: 'NotFound',
      details: { name: 'x', kind: 'services' },
      code: 404,
    },
  ],
  [
    'a Deployment that is not there',
    'DELETE',
    '/apis/apps/v1/namespaces/default/deployments/x',
    {},
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'deployments.apps "x" not found',
      reason: 'NotFound',
      details: { name: 'x', group: 'apps', kind: 'deployments' },
      code: 404,
    },
  ],
  [
    'a name that exists',
    'POST',
    `${NS}/services`,
    { body: service('kubernetes', { ports: [{ port: 80 }] }) },
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'services "kubernetes" already exists',
      reason: 'AlreadyExists',
      details: { name: 'kubernetes', kind: 'services' },
      code: 409,
    },
  ],
  [
    'a namespace that is not there',
    'POST',
    '/api/v1/namespaces/nowhere/services',
    { body: service('a', { ports: [{ port: 80 }] }) },
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'namespaces "nowhere" not found',
      reason: 'NotFound',
      details: { name: 'nowhere', kind: 'namespaces' },
      code: 404,
    },
  ],
];
for (const [what, method, path, request, status] of refusals) {
  test(`${what} is answered with exactly the Status of Kubernetes`, async () => {
    const before = api.store.revision();
    const answer = await api.request(method, path, request);
    assert.deepEqual(answer.json, status);
    assert.equal(answer.text, JSON.stringify(status), 'also in the order of its fields');
    assert.equal(answer.status, (status as { code: number }).code);
    assert.equal(api.store.revision(), before);
  });
}

const loose: [
  what: string,
  method: string,
  path: string,
  request: TestRequest,
  code: number,
  reason: string,
  text: RegExp,
][] = [
  ['malformed JSON', 'POST', `${NS}/services`, { body: '{"kind":' }, 400, 'BadRequest', /json parse error/],
  ['a JSON list', 'POST', `${NS}/services`, { body: '[]' }, 400, 'BadRequest', /cannot unmarshal array/],
  ['no body', 'POST', `${NS}/services`, {}, 400, 'BadRequest', /no body/],
  [
    'another kind',
    'POST',
    `${NS}/services`,
    { body: { apiVersion: 'v1', kind: 'Pod' } },
    400,
    'BadRequest',
    /must be of type Service/,
  ],
  [
    'another version',
    'POST',
    `${NS}/services`,
    { body: { apiVersion: 'v2', kind: 'Service' } },
    400,
    'BadRequest',
    /^the API version in the data \(v2\) does not match the expected API version \(v1\)$/,
  ],
  [
    'a wrong type',
    'POST',
    `${NS}/services`,
    { body: service('a', { ports: 'x' }) },
    400,
    'BadRequest',
    /^Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServiceSpec.spec.ports of type \[\]v1.ServicePort$/,
  ],
  [
    "a namespace that is not the URL's",
    'POST',
    `${NS}/configmaps`,
    { body: { metadata: { name: 'a', namespace: 'b' } } },
    400,
    'BadRequest',
    /does not match/,
  ],
  [
    "a name that is not the URL's",
    'PUT',
    `${NS}/configmaps/a`,
    { body: { metadata: { name: 'b' } } },
    400,
    'BadRequest',
    /does not match the name on the URL/,
  ],
  [
    'a resourceVersion on create',
    'POST',
    `${NS}/configmaps`,
    { body: { metadata: { name: 'a', resourceVersion: '1' } } },
    400,
    'BadRequest',
    /resourceVersion should not be set/,
  ],
  [
    'a body over 3 MiB',
    'POST',
    `${NS}/configmaps`,
    { body: 'x'.repeat(3 * 1024 * 1024 + 1) },
    413,
    'RequestEntityTooLarge',
    /limit is 3145728/,
  ],
  [
    'an unknown Accept',
    'GET',
    `${NS}/pods`,
    { headers: { accept: 'image/png' } },
    406,
    'NotAcceptable',
    /application\/json/,
  ],
  [
    'an unknown Content-Type',
    'POST',
    `${NS}/pods`,
    { body: 'x', headers: { 'content-type': 'text/html' } },
    415,
    'UnsupportedMediaType',
    /application\/json/,
  ],
  [
    'server-side apply',
    'PATCH',
    `${NS}/configmaps/a`,
    { body: '{}', headers: { 'content-type': 'application/apply-patch+cbor' } },
    415,
    'UnsupportedMediaType',
    /application\/merge-patch\+json/,
  ],
  [
    'a DELETE on a status',
    'DELETE',
    `${NS}/services/kubernetes/status`,
    {},
    405,
    'MethodNotAllowed',
    /does not allow this method/,
  ],
  ['a POST on an item', 'POST', `${NS}/services/kubernetes`, { body: {} }, 405, 'MethodNotAllowed', /does not allow/],
  [
    'an unknown dryRun',
    'POST',
    `${NS}/configmaps`,
    { body: { metadata: { name: 'a' } }, query: { dryRun: 'x' } },
    422,
    'Invalid',
    /dryRun: Unsupported value/,
  ],
  [
    'an unknown fieldValidation',
    'POST',
    `${NS}/configmaps`,
    { body: { metadata: { name: 'a' } }, query: { fieldValidation: 'x' } },
    422,
    'Invalid',
    /fieldValidation/,
  ],
  ['a bad label selector', 'GET', `${NS}/pods`, { query: { labelSelector: 'a==b==c' } }, 400, 'BadRequest', /found/],
  [
    'an undeclared field selector',
    'GET',
    `${NS}/pods`,
    { query: { fieldSelector: 'spec.foo=bar' } },
    400,
    'BadRequest',
    /^field label not supported: spec.foo$/,
  ],
  [
    'a namespaced kind without a namespace',
    'POST',
    '/api/v1/pods',
    { body: {} },
    405,
    'MethodNotAllowed',
    /^the server does not allow this method on the requested resource$/,
  ],
  [
    'deleting the default namespace',
    'DELETE',
    '/api/v1/namespaces/default',
    {},
    403,
    'Forbidden',
    /^namespaces "default" is forbidden: this namespace may not be deleted$/,
  ],
];
for (const [what, method, path, request, code, reason, text] of loose) {
  test(`${what} is answered ${String(code)} ${reason}`, async () => {
    const before = api.store.revision();
    const { status, json } = await api.request(method, path, request);
    assert.deepEqual([status, json.kind, json.reason, json.code], [code, 'Status', reason, code], json.message);
    assert.match(json.message, text);
    assert.equal(api.store.revision(), before, 'nothing is stored');
  });
}

test('unknown kinds and paths are 404 page not found', async () => {
  for (const path of [
    '/api/v1/namespaces/default/things',
    '/apis/example.com/v1/things',
    '/apis/example.com',
    '/nothing',
    '/api/v1/namespaces/default/nodes',
  ]) {
    const { status, text } = await api.request('GET', path);
    assert.deepEqual([status, text], [404, '404 page not found\n'], path);
  }
});

test('unknown and duplicate fields are ignored, warned of or refused, as asked (8-015)', async () => {
  const body = '{"metadata":{"name":"fields"},"spec":{"foo":1,"ports":[{"port":80,"port":81}]},"bar":2}';
  const send = (fieldValidation: string, name: string) =>
    api.request('POST', `${NS}/services`, { body: body.replace('fields', name), query: { fieldValidation } });
  const strict = await send('Strict', 'strict');
  assert.equal(strict.status, 400);
  assert.equal(
    strict.json.message,
    'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.foo", duplicate field "spec.ports[0].port", unknown field "bar"',
  );
  const warn = await send('Warn', 'warn');
  assert.equal(warn.status, 201);
  assert.deepEqual(warn.headers['warning'], [
    '299 - "unknown field \\"spec.foo\\""',
    '299 - "duplicate field \\"spec.ports[0].port\\""',
    '299 - "unknown field \\"bar\\""',
  ]);
  assert.equal(warn.json.spec.foo, undefined);
  const ignore = await send('Ignore', 'ignore');
  assert.deepEqual([ignore.status, ignore.headers['warning']], [201, undefined]);
  const byDefault = await send('', 'default');
  assert.equal((byDefault.headers['warning'] as string[]).length, 3);
});

test('YAML goes in and comes out', async () => {
  const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: "1"}\n';
  const made = await api.request('POST', `${NS}/configmaps`, {
    body,
    headers: { 'content-type': 'application/yaml', accept: 'application/yaml' },
  });
  assert.equal(made.headers['content-type'], 'application/yaml');
  assert.match(made.text, /^apiVersion: v1\ndata:\n  a: '1'\nkind: ConfigMap\nmetadata:\n/);
});

test("pretty printing is by query, else for people's tools; gzip is for big bodies (8-018, 8-019)", async () => {
  const get = async (headers: Record<string, string>, query = {}) =>
    (await api.request('GET', `${NS}/services/kubernetes`, { headers, query })).text.split('\n').length > 2;
  assert.deepEqual(
    [
      await get({}),
      await get({ 'user-agent': 'curl/8' }),
      await get({ 'user-agent': 'curl/8' }, { pretty: 'false' }),
      await get({}, { pretty: 'true' }),
    ],
    [false, true, false, true],
  );
  const big = { metadata: { name: 'big' }, data: { a: 'x'.repeat(200_000) } };
  await api.request('POST', `${NS}/configmaps`, { body: big });
  const zipped = await api.request('GET', `${NS}/configmaps/big`, { headers: { 'accept-encoding': 'gzip, deflate' } });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  const small = await api.request('GET', `${NS}/configmaps/yaml`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(small.headers['content-encoding'], undefined);
  await api.request('DELETE', `${NS}/configmaps/big`);
});

test('lists name their kind, items do not, and an empty list is a list (8-059)', async () => {
  const { json } = await api.request('GET', `${NS}/services`);
  assert.equal(json.kind, 'ServiceList');
  assert.equal(json.items[0].kind, undefined);
  assert.deepEqual((await api.request('GET', `${NS}/secrets`)).json.items, []);
});

test('tables, their v1beta1 and partial metadata are given as asked (8-020 to 8-023)', async () => {
  const get = (as: string, query = {}) =>
    api.request('GET', `${NS}/services`, {
      headers: { accept: `application/json;as=${as};g=meta.k8s.io,application/json` },
      query,
    });
  const table = (await get('Table;v=v1')).json;
  assert.equal(table.apiVersion, 'meta.k8s.io/v1');
  assert.equal(table.rows[0].object.kind, 'PartialObjectMetadata');
  assert.equal((await get('Table;v=v1beta1')).json.apiVersion, 'meta.k8s.io/v1beta1');
  assert.equal((await get('Table;v=v1', { includeObject: 'None' })).json.rows[0].object, undefined);
  assert.ok((await get('Table;v=v1', { includeObject: 'Object' })).json.rows[0].object.spec);
  const partial = (await get('PartialObjectMetadataList;v=v1')).json;
  assert.deepEqual([partial.kind, partial.items[0].spec], ['PartialObjectMetadataList', undefined]);
});

test('events.k8s.io shows the core Events, stored once (8-105)', async () => {
  const event = {
    metadata: { name: 'e' },
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Started',
    message: 'a message',
    type: 'Normal',
    firstTimestamp: '2030-01-01T00:00:00Z',
    lastTimestamp: '2030-01-01T00:00:00Z',
    count: 2,
  };
  const made = await api.request('POST', `${NS}/events`, { body: event });
  assert.equal(made.status, 201, made.text);
  const path = '/apis/events.k8s.io/v1/namespaces/default/events';
  const { json } = await api.request('GET', `${path}/e`);
  assert.deepEqual(
    [json.apiVersion, json.note, json.regarding.name, json.deprecatedCount],
    ['events.k8s.io/v1', 'a message', 'p', 2],
  );
  assert.equal(json.message, undefined);
  const list = await api.request('GET', path, { query: { fieldSelector: 'regarding.name=p' } });
  assert.equal(list.json.items[0].note, 'a message');
  const core = await api.request('GET', `${NS}/events`, { query: { fieldSelector: 'involvedObject.name=p' } });
  assert.equal(core.json.items.length, 1);
});

test('health checks can be left out and asked for one by one (8-098)', async () => {
  const text = async (path: string) => (await api.request('GET', path)).text;
  assert.equal(await text('/livez/ping'), 'ok');
  assert.equal(await text('/readyz/ping?verbose'), 'ok');
  assert.equal(await text('/livez?exclude=etcd'), 'ok');
  assert.equal(
    await text('/livez?verbose&exclude=etcd&exclude=nothing'),
    '[+]ping ok\n[+]etcd excluded: ok\n' +
      'warn: some health checks cannot be excluded: no matches for "nothing"\nlivez check passed\n',
  );
});

test('metrics have the names and labels of kube-apiserver (8-100)', async () => {
  await api.request('POST', `${NS}/configmaps`, { body: { metadata: { name: 'counted' } } });
  await api.request('GET', '/apis/policy/v1beta1/poddisruptionbudgets');
  await api.request('GET', `${NS}/nothings`);
  const { text } = await api.request('GET', '/metrics');
  const has = (line: string) => {
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
  };
  const posted = 'group="",resource="configmaps",scope="namespace",subresource="",verb="POST",version="v1"';
  assert.match(text, new RegExp(`^apiserver_request_total\\{code="201",component="apiserver",${posted}\\} [1-9]`, 'm'));
  has('apiserver_current_inflight_requests{request_kind="readOnly"} 1');
  has('apiserver_current_inflight_requests{request_kind="mutating"} 0');
  has(
    'apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="poddisruptionbudgets",subresource="",version="v1beta1"} 1',
  );
  assert.match(text, /^apiserver_storage_objects\{resource="deployments.apps"\} \d+$/m);
  assert.match(text, /^apiserver_resource_objects\{group="apps",resource="deployments"\} \d+$/m);
  assert.match(text, /^kubernetes_build_info\{major="1",minor="36",git_version="v1.36.2\+fairway",.*\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
  const helped = [...text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name);
  assert.equal(new Set(helped).size, helped.length, 'every name is explained once');
});

test('health, version, root and metrics answer', async () => {
  assert.deepEqual(
    [(await api.request('GET', '/healthz')).text, (await api.request('GET', '/readyz/etcd')).text],
    ['ok', 'ok'],
  );
  assert.match(
    (await api.request('GET', '/livez?verbose')).text,
    /^\[\+\]ping ok\n\[\+\]etcd ok\nlivez check passed\n$/,
  );
  assert.equal((await api.request('GET', '/readyz/nothing')).status, 404);
  assert.equal((await api.request('GET', '/version')).json.gitVersion, 'v1.36.2+fairway');
  assert.ok((await api.request('GET', '/')).json.paths.includes('/apis/apps/v1'));
  const metrics = (await api.request('GET', '/metrics')).text;
  assert.match(metrics, /apiserver_request_total\{code="200",component="apiserver",.*verb="GET".*\} \d+/);
  assert.match(metrics, /kube_apiserver_clusterip_allocator_allocated_ips\{cidr="10.96.0.0\/16"\} \d+/);
});
