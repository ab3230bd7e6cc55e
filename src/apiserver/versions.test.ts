import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../test/support/api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const at = (groupVersion: string, plural: string, name = '') =>
  `/apis/${groupVersion}/namespaces/default/${plural}${name && '/'}${name}`;
const warning = (text: string) => [`299 - "${text}"`];

const template = {
  metadata: { labels: { app: 'w' } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
};

test('an Ingress written by its first version is read by all, with a warning (5-069, 5-070, 8-010)', async () => {
  const body = {
    apiVersion: 'extensions/v1beta1',
    kind: 'Ingress',
    metadata: { name: 'first' },
    spec: {
      backend: { serviceName: 'd', servicePort: 'http' },
      rules: [{ host: 'a.example', http: { paths: [{ backend: { serviceName: 's', servicePort: 80 } }] } }],
    },
  };
  const made = await api.request('POST', at('extensions/v1beta1', 'ingresses'), { body });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(
    made.headers['warning'],
    warning(
      'extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress',
    ),
  );
  assert.equal(made.json.apiVersion, 'extensions/v1beta1');
  assert.deepEqual(made.json.spec.backend, body.spec.backend);
  const present = await api.request('GET', at('networking.k8s.io/v1', 'ingresses', 'first'));
  assert.equal(present.headers['warning'], undefined);
  assert.deepEqual(present.json.spec, {
    defaultBackend: { service: { name: 'd', port: { name: 'http' } } },
    rules: [
      {
        host: 'a.example',
        http: {
          paths: [{ pathType: 'ImplementationSpecific', backend: { service: { name: 's', port: { number: 80 } } } }],
        },
      },
    ],
  });
  const beta = await api.request('GET', at('networking.k8s.io/v1beta1', 'ingresses'));
  assert.deepEqual([beta.json.kind, beta.json.apiVersion], ['IngressList', 'networking.k8s.io/v1beta1']);
  assert.equal(beta.json.items[0].spec.backend.serviceName, 'd');
  assert.match(String(beta.headers['warning']), /^299 - "networking.k8s.io\/v1beta1 Ingress is deprecated in v1.19\+/);
  assert.equal(beta.json.items[0].metadata.uid, present.json.metadata.uid, 'stored once');
});

test('what is wrong is said in the words of the version that was asked', async () => {
  const spec = { backend: { serviceName: 'S_', servicePort: 0 } };
  const beta = await api.request('POST', at('networking.k8s.io/v1beta1', 'ingresses'), {
    body: { metadata: { name: 'wrong' }, spec },
  });
  assert.equal(beta.status, 422);
  assert.deepEqual(
    beta.json.details.causes.map(({ field }: { field: string }) => field),
    ['spec.backend.serviceName', 'spec.backend.servicePort'],
  );
  const none = await api.request('POST', at('networking.k8s.io/v1beta1', 'ingresses'), {
    body: { metadata: { name: 'wrong' }, spec: {} },
  });
  assert.match(none.json.message, /either `backend` or `rules` must be specified/);
  assert.equal((await api.request('GET', at('networking.k8s.io/v1', 'ingresses', 'wrong'))).status, 404);
  const other = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'wrong' }, spec };
  const mixed = await api.request('POST', at('networking.k8s.io/v1beta1', 'ingresses'), { body: other });
  assert.match(mixed.json.message, /does not match the expected API version \(networking.k8s.io\/v1beta1\)/);
});

test('a patch applies to the version of its URL', async () => {
  const headers = { 'content-type': 'application/json-patch+json' };
  const path = '/spec/backend/servicePort';
  const body = [
    { op: 'test', path, value: 'http' },
    { op: 'replace', path, value: 8080 },
  ];
  const patched = await api.request('PATCH', at('networking.k8s.io/v1beta1', 'ingresses', 'first'), { headers, body });
  assert.equal(patched.status, 200, patched.text);
  assert.equal(patched.json.spec.backend.servicePort, 8080);
  const present = await api.request('GET', at('networking.k8s.io/v1', 'ingresses', 'first'));
  assert.deepEqual(present.json.spec.defaultBackend, { service: { name: 'd', port: { number: 8080 } } });
  const wrong = await api.request('PATCH', at('networking.k8s.io/v1', 'ingresses', 'first'), { headers, body });
  assert.equal(wrong.status, 422, 'v1 has no spec.backend');
});

test('a watch shows the version of its URL, in objects, tables and bookmarks', async () => {
  const query = { watch: 'true', timeoutSeconds: '1', fieldSelector: 'metadata.name=first' };
  const beta = at('networking.k8s.io/v1beta1', 'ingresses');
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = { query: { ...query, includeObject: 'Object' }, headers: { accept } };
  const [plain, rows] = await Promise.all([
    api.request('GET', beta, { query: { ...query, allowWatchBookmarks: 'true' } }),
    api.request('GET', beta, table),
  ]);
  const events = plain.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; object: any }); // eslint-disable-line
  assert.equal(events[0]?.object.spec.backend.servicePort, 8080);
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.object.apiVersion], ['BOOKMARK', 'networking.k8s.io/v1beta1']);
  assert.match(String(plain.headers['warning']), /v1beta1 Ingress is deprecated/);
  const [first] = rows.text.split('\n');
  const shown = JSON.parse(first ?? '').object;
  assert.deepEqual(shown.rows[0].cells.slice(0, 3), ['first', '<none>', 'a.example']);
  assert.equal(shown.rows[0].object.apiVersion, 'networking.k8s.io/v1beta1');
});

test('a Deployment of every version is one object with one scale', async () => {
  const versions = ['apps/v1', 'apps/v1beta2', 'apps/v1beta1', 'extensions/v1beta1'];
  const made = await api.request('POST', at('extensions/v1beta1', 'deployments'), {
    body: { metadata: { name: 'w' }, spec: { template } },
  });
  assert.equal(made.status, 201, made.text);
  const objects = [];
  for (const version of versions) {
    const { json } = await api.request('GET', at(version, 'deployments', 'w'));
    assert.equal(json.apiVersion, version);
    assert.deepEqual(json.spec.strategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 1 });
    const { apiVersion: _apiVersion, ...rest } = json;
    objects.push(rest);
    const scale = await api.request('GET', `${at(version, 'deployments', 'w')}/scale`);
    assert.deepEqual([scale.json.kind, scale.json.status.selector], ['Scale', 'app=w']);
    // What one version showed is accepted by it again, and changes nothing.
    const put = await api.request('PUT', at(version, 'deployments', 'w'), { body: json });
    assert.deepEqual([put.status, put.json.metadata.resourceVersion], [200, json.metadata.resourceVersion], version);
  }
  assert.deepEqual(objects.slice(1), [objects[0], objects[0], objects[0]]);
  const body = { spec: { replicas: 3 } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const scaled = await api.request('PATCH', `${at('apps/v1beta1', 'deployments', 'w')}/scale`, { headers, body });
  assert.equal(scaled.status, 200, scaled.text);
  assert.equal((await api.request('GET', at('apps/v1', 'deployments', 'w'))).json.spec.replicas, 3);
});

test('a selector may change through the first versions only', async () => {
  const change = async (version: string, app: string) => {
    const url = at(version, 'deployments', 'w');
    const { json } = await api.request('GET', url);
    json.spec.selector = { matchLabels: { app } };
    json.spec.template.metadata.labels = { app };
    return await api.request('PUT', url, { body: json });
  };
  assert.match(
    (await change('apps/v1beta2', 'x')).json.message,
    /spec.selector: Invalid value: .*: field is immutable/,
  );
  assert.equal((await change('apps/v1beta1', 'x')).status, 200);
  assert.equal((await change('extensions/v1beta1', 'y')).status, 200);
});

test('the status of an older version is the status', async () => {
  const url = `${at('apps/v1beta1', 'deployments', 'w')}/status`;
  const { json } = await api.request('GET', url);
  json.status = { replicas: 2, observedGeneration: 1 };
  const put = await api.request('PUT', url, { body: json });
  assert.equal(put.status, 200, put.text);
  assert.equal((await api.request('GET', at('apps/v1', 'deployments', 'w'))).json.status.replicas, 2);
});

test('slices of v1beta1 keep their topology while v1 only changes labels (2-034, 2-041)', async () => {
  const beta = at('discovery.k8s.io/v1beta1', 'endpointslices');
  const topology = { 'topology.kubernetes.io/zone': 'z', rack: 'r' };
  const body = { metadata: { name: 's' }, addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], topology }] };
  assert.equal((await api.request('POST', beta, { body })).status, 201);
  const present = at('discovery.k8s.io/v1', 'endpointslices', 's');
  const read = (await api.request('GET', present)).json;
  assert.deepEqual(read.endpoints, [{ addresses: ['10.0.0.1'], zone: 'z', deprecatedTopology: { rack: 'r' } }]);
  const headers = { 'content-type': 'application/merge-patch+json' };
  await api.request('PATCH', present, { headers, body: { metadata: { labels: { a: 'b' } } } });
  const kept = (await api.request('GET', `${beta}/s`)).json;
  assert.deepEqual([kept.metadata.labels, kept.endpoints[0].topology], [{ a: 'b' }, topology]);
  const changed = { ...read, endpoints: [{ ...read.endpoints[0], addresses: ['10.0.0.2'] }] };
  delete changed.metadata.resourceVersion;
  assert.deepEqual((await api.request('PUT', present, { body: changed })).json.endpoints, [
    { addresses: ['10.0.0.2'], zone: 'z' },
  ]);
  const tooMany = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v']));
  const refused = await api.request('POST', beta, {
    body: { ...body, metadata: { name: 't' }, endpoints: [{ addresses: ['10.0.0.1'], topology: tooMany }] },
  });
  assert.match(refused.json.message, /endpoints\[0\].topology: Too many: 17: must have at most 16 items/);
});

test('what is gone through one version is gone from all', async () => {
  const gone = await api.request('DELETE', at('extensions/v1beta1', 'ingresses', 'first'));
  assert.equal(gone.status, 200, gone.text);
  for (const version of ['networking.k8s.io/v1', 'networking.k8s.io/v1beta1', 'extensions/v1beta1']) {
    assert.equal((await api.request('GET', at(version, 'ingresses', 'first'))).status, 404);
  }
});

test('discovery lists every version, the preferred one first (8-002, 8-003, 8-005)', async () => {
  const groups = (await api.request('GET', '/apis')).json.groups as { name: string; versions: { version: string }[] }[];
  const apps = groups.find(({ name }) => name === 'apps');
  assert.deepEqual(
    apps?.versions.map(({ version }) => version),
    ['v1', 'v1beta2', 'v1beta1'],
  );
  assert.equal(new Set(groups.map(({ name }) => name)).size, groups.length, 'every group is there once');
  assert.equal(groups.filter(({ name }) => name.endsWith('.k8s.io') || name === 'apps').length > 0, true);
  const order = groups.map(({ name }) => name);
  assert.ok(order.indexOf('extensions') > order.indexOf('networking.k8s.io'));
  assert.ok(order.indexOf('extensions') > order.indexOf('apps'));
  const [v1, beta] = await Promise.all(
    ['apps/v1', 'apps/v1beta1'].map(async (version) => (await api.request('GET', `/apis/${version}`)).json),
  );
  const deployments = (list: { resources: { name: string; storageVersionHash: string }[] }) =>
    list.resources.find(({ name }) => name === 'deployments')?.storageVersionHash;
  assert.equal(deployments(v1), deployments(beta), 'one storage has one hash');
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const { json } = await api.request('GET', '/apis', { headers: { accept } });
  const policy = json.items.find((item: { metadata: { name: string } }) => item.metadata.name === 'policy');
  assert.deepEqual(
    policy.versions.map(({ version }: { version: string }) => version),
    ['v1', 'v1beta1'],
  );
});

test('discovery answers in the form and version that is asked for, and in none where nothing changed (8-005, 8-006)', async () => {
  const form = (version: string, more = '') =>
    `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList${more}`;
  const get = (accept: string, etag?: string) =>
    api.request('GET', '/apis', { headers: { accept, ...(etag !== undefined && { 'if-none-match': etag }) } });
  const kinds: [accept: string, kind: string, apiVersion: string][] = [
    [`${form('v2')},${form('v2beta1')},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2'],
    [`${form('v2', ';profile=nopeer')},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2'],
    [`${form('v2beta1')},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2beta1'],
    [`${form('v3')},application/json`, 'APIGroupList', 'v1'],
    ['application/json', 'APIGroupList', 'v1'],
  ];
  for (const [accept, kind, apiVersion] of kinds) {
    const { status, json, headers } = await get(accept);
    assert.deepEqual([status, json.kind, json.apiVersion], [200, kind, apiVersion], accept);
    const again = await get(accept, String(headers['etag']));
    assert.deepEqual([again.status, again.text], [304, ''], accept);
  }
  assert.equal((await get(form('v3'))).status, 406);
  const core = await api.request('GET', '/api', { headers: { accept: form('v2') } });
  assert.equal(core.headers['content-type'], form('v2'));
  assert.deepEqual(core.json.items[0].metadata.name, '');
});

test('v1 Endpoints warns of its successor (2-031)', async () => {
  const { headers } = await api.request('GET', '/api/v1/namespaces/default/endpoints');
  assert.deepEqual(
    headers['warning'],
    warning('v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'),
  );
});

test('an eviction may be asked for in its older version, as kubectl before 1.22 does', async () => {
  const pods = '/api/v1/namespaces/default/pods';
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  assert.equal((await api.request('POST', pods, { body: pod })).status, 201);
  const body = { apiVersion: 'policy/v1beta1', kind: 'Eviction', metadata: { name: 'p', namespace: 'default' } };
  const evicted = await api.request('POST', `${pods}/p/eviction`, { body });
  assert.equal(evicted.status, 201, evicted.text);
});
