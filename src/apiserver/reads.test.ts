/** One object in every form it can be asked for: alone, in a list and in a watch (features 8-017 to 8-023). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { apiRequest, startTestApi, type TestApi, type TestRequest } from '../../test/support/api.ts';
import { isStream } from './request.ts';

let api: TestApi;
const MAPS = '/api/v1/namespaces/default/configmaps';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const METADATA = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
/** What client-go sends when it is set to protobuf, as in kube-proxy and the kubelet. */
const CLIENT_GO = 'application/vnd.kubernetes.protobuf, */*';

before(async () => {
  api = await startTestApi();
  await api.request('POST', MAPS, { body: { metadata: { name: 'it', labels: { only: 'this' } }, data: { a: 'b' } } });
});
after(() => api.stop());

const get = (path: string, accept: string, query: Record<string, string> = {}, more: TestRequest = {}) =>
  api.request('GET', path, { ...more, query, headers: { accept, ...more.headers } });
const only = { labelSelector: 'only=this' };

/** The first event of a watch, as soon as it is there. */
async function firstEvent(accept: string, query: Record<string, string> = {}) {
  const request = apiRequest('GET', MAPS, { query: { ...only, ...query, watch: '1' }, headers: { accept } });
  const { body, headers } = await api.handle(request);
  assert.ok(isStream(body));
  const text = await new Promise<string>((resolve) => {
    const stop = body.start({
      write: (chunk) => {
        resolve(Buffer.from(chunk).toString());
        setImmediate(() => {
          stop();
        });
      },
      pending: () => 0,
      drained: setImmediate,
      end: () => undefined,
      abort: () => undefined,
    });
  });
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  return { headers, event: JSON.parse(text.split('\n')[0] ?? '') as any };
}

test('the metadata alone: of one, of a list, of a watch', async () => {
  const one = (await get(`${MAPS}/it`, METADATA)).json;
  assert.deepEqual(
    [one.kind, one.apiVersion, one.metadata.name, one.data],
    ['PartialObjectMetadata', 'meta.k8s.io/v1', 'it', undefined],
  );
  const list = (await get(MAPS, METADATA_LIST, only)).json;
  assert.deepEqual(
    [list.kind, list.items[0].kind, list.items[0].data],
    ['PartialObjectMetadataList', 'PartialObjectMetadata', undefined],
  );
  assert.match(list.metadata.resourceVersion, /^\d+$/);
  const { event } = await firstEvent(METADATA);
  assert.deepEqual(
    [event.type, event.object.kind, event.object.metadata.name, event.object.data],
    ['ADDED', 'PartialObjectMetadata', 'it', undefined],
  );
});

for (const [includeObject, kind, data] of [
  ['', 'PartialObjectMetadata', undefined],
  ['Metadata', 'PartialObjectMetadata', undefined],
  ['Object', 'ConfigMap', { a: 'b' }],
  ['None', undefined, undefined],
] as const) {
  test(`a Table with includeObject=${includeObject}: of one, of a list, of a watch`, async () => {
    const query = { ...only, includeObject };
    const tables = [
      (await get(`${MAPS}/it`, TABLE, { includeObject })).json,
      (await get(MAPS, TABLE, query)).json,
      (await firstEvent(TABLE, { includeObject })).event.object,
    ];
    for (const { kind: table, columnDefinitions, rows } of tables) {
      assert.equal(table, 'Table');
      assert.deepEqual(
        columnDefinitions.map(({ name }: { name: string }) => name),
        ['Name', 'Data', 'Age'],
      );
      assert.equal(rows[0].cells[0], 'it');
      assert.deepEqual([rows[0].object?.kind, rows[0].object?.data], [kind, data]);
    }
  });
}

test('another includeObject is refused in the words of Kubernetes', async () => {
  const { status, json } = await get(MAPS, TABLE, { includeObject: 'Some' });
  assert.equal(status, 422);
  assert.equal(
    json.message,
    `TableOptions.meta.k8s.io "" is invalid: includeObject: Invalid value: "Some": must be 'Metadata', 'Object', 'None', or empty`,
  );
});

test('a client set to protobuf that takes anything else too is answered in JSON', async () => {
  for (const path of [MAPS, `${MAPS}/it`]) {
    const { status, headers } = await get(path, CLIENT_GO);
    assert.deepEqual([status, headers['content-type']], [200, 'application/json']);
  }
  const { headers, event } = await firstEvent(CLIENT_GO);
  assert.deepEqual([headers['content-type'], event.object.kind], ['application/json', 'ConfigMap']);
});

test('YAML answers, refusals too; but no watch', async () => {
  const list = await get(MAPS, 'application/yaml', only);
  assert.match(list.text, /^apiVersion: v1\nitems:\n {2}- data:\n {6}a: b\n/);
  const refusal = await get(`${MAPS}/absent`, 'application/yaml');
  assert.deepEqual([refusal.status, refusal.headers['content-type']], [404, 'application/yaml']);
  assert.match(refusal.text, /^apiVersion: v1\ncode: 404\n/);
  assert.equal((await get(MAPS, 'application/yaml', { watch: '1' })).status, 406);
});

for (const [what, headers, query, indented] of [
  ['curl', { 'user-agent': 'curl/8.0' }, {}, true],
  ['curl that asks for less', { 'user-agent': 'curl/8.0' }, { pretty: 'false' }, false],
  ['kubectl', { 'user-agent': 'kubectl/v1.33' }, {}, false],
  ['who asks for it', {}, { pretty: 'true' }, true],
] as const) {
  test(`${what} gets ${indented ? 'indented' : 'compact'} JSON (8-018)`, async () => {
    const { text } = await api.request('GET', `${MAPS}/it`, { headers, query });
    assert.equal(text.startsWith('{\n  "kind"'), indented);
  });
}

test('long answers are zipped for who can read it, short ones are not (8-019)', async () => {
  const text = 'x'.repeat(200_000);
  await api.request('POST', MAPS, { body: { metadata: { name: 'long' }, data: { text } } });
  const ask = async (path: string, encoding: string) =>
    await api.handle(apiRequest('GET', path, { headers: { 'accept-encoding': encoding } }));
  const zipped = await ask(`${MAPS}/long`, 'gzip, deflate');
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.equal(JSON.parse(gunzipSync(zipped.body as Uint8Array).toString()).data.text, text);
  assert.equal((await ask(`${MAPS}/long`, 'identity')).headers['content-encoding'], undefined);
  assert.equal((await ask(`${MAPS}/it`, 'gzip')).headers['content-encoding'], undefined);
  await api.request('DELETE', `${MAPS}/long`);
});

test('HEAD asks for the same as GET', async () => {
  for (const path of [MAPS, `${MAPS}/it`, `${MAPS}/absent`]) {
    const [head, full] = [await api.request('HEAD', path), await api.request('GET', path)];
    assert.deepEqual([head.status, head.headers], [full.status, full.headers]);
  }
});

test('methods that mean nothing to a resource are 405', async () => {
  for (const method of ['OPTIONS', 'TRACE', 'FOO']) assert.equal((await api.request(method, MAPS)).status, 405);
});

test('a get of a revision from the future is told so, one of the past gets the newest (8-045, 8-046)', async () => {
  assert.equal((await get(`${MAPS}/it`, '*/*', { resourceVersion: '1' })).json.data.a, 'b');
  assert.equal((await get(`${MAPS}/it`, '*/*', { resourceVersion: '0' })).json.data.a, 'b');
  assert.equal((await get(`${MAPS}/it`, '*/*', { resourceVersion: 'x' })).status, 400);
  const token = Buffer.from('{"v":"meta.k8s.io/v1","rv":888888,"start":"a"}').toString('base64url');
  const answers = await Promise.all([
    get(`${MAPS}/it`, '*/*', { resourceVersion: '888888' }),
    get(MAPS, '*/*', { resourceVersion: '888888' }),
    get(MAPS, '*/*', { resourceVersion: '888888', resourceVersionMatch: 'Exact' }),
    get(MAPS, '*/*', { continue: token }),
  ]);
  for (const { status, json, headers } of answers) {
    assert.deepEqual([status, json.reason, headers['retry-after']], [504, 'Timeout', '1']);
    assert.match(json.message, /^Timeout: Too large resource version: 888888, current: \d+$/);
    assert.deepEqual(json.details.causes, [
      { reason: 'ResourceVersionTooLarge', message: 'Too large resource version' },
    ]);
  }
});

/** Fields that select, per kind (8-058), and one each that does not. */
const fields: [path: string, selectors: string[], refused: string, words: string][] = [
  [
    '/api/v1/pods',
    [
      ...['metadata.name', 'metadata.namespace', 'spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName'],
      ...[
        'spec.serviceAccountName',
        'spec.hostNetwork',
        'status.phase',
        'status.podIP',
        'status.podIPs',
        'status.nominatedNodeName',
      ],
    ],
    'spec.foo',
    'field label not supported: spec.foo',
  ],
  [
    '/api/v1/events',
    [
      ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (each) => `involvedObject.${each}`,
      ),
      ...['reason', 'reportingComponent', 'source', 'type'],
    ],
    'message',
    'field label not supported: message',
  ],
  ['/api/v1/nodes', ['metadata.name', 'spec.unschedulable'], 'status.phase', 'field label not supported: status.phase'],
  ['/api/v1/namespaces', ['metadata.name', 'status.phase'], 'spec', 'field label not supported: spec'],
  ['/api/v1/secrets', ['type', 'metadata.namespace'], 'data', 'field label not supported: data'],
  ['/api/v1/services', ['spec.clusterIP', 'spec.type'], 'spec.ports', 'field label not supported: spec.ports'],
  [
    '/apis/networking.k8s.io/v1/ingresses',
    ['metadata.name'],
    'foo.bar',
    '"foo.bar" is not a known field selector: only "metadata.name", "metadata.namespace"',
  ],
];
for (const [path, selectors, refused, words] of fields) {
  test(`${path} can be selected by ${selectors.join(', ')} and by no other field`, async () => {
    const all = (await get(path, '*/*')).json.items.length as number;
    for (const field of selectors) {
      for (const [operator, count] of [
        ['=', 0],
        ['==', 0],
        ['!=', all],
      ] as const) {
        const { status, json } = await get(path, '*/*', { fieldSelector: `${field}${operator}nothing-is-so` });
        assert.deepEqual([status, json.items.length], [200, count], `${field}${operator}`);
      }
    }
    const { status, json } = await get(path, '*/*', { fieldSelector: `${refused}=x` });
    assert.deepEqual([status, json.reason, json.message], [400, 'BadRequest', words]);
  });
}
