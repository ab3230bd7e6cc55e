import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestAnswer, type TestApi } from '../../../../test/support/api.ts';
import { sharedStore } from '../../../../test/support/shared-store.ts';
import { RESOURCE_QUOTAS } from '../../../api/kinds.ts';
import type { ResourceQuota } from '../../../api/types.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

let count = 0;

/** A namespace with one quota. */
async function limitedTo(hard: Record<string, string>, more: object = {}): Promise<string> {
  const name = `quota-${String((count += 1))}`;
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
  const body = { metadata: { name: 'limit' }, spec: { hard, ...more } };
  const made = await api.request('POST', `/api/v1/namespaces/${name}/resourcequotas`, { body });
  assert.equal(made.status, 201, made.text);
  return name;
}

/** How a kind is called in its path. */
const paths: Record<string, string> = { deployments: 'apis/apps/v1', ingresses: 'apis/networking.k8s.io/v1' };
function create(namespace: string, resource: string, name: string, spec: object, query = {}): Promise<TestAnswer> {
  const path = `/${paths[resource] ?? 'api/v1'}/namespaces/${namespace}/${resource}`;
  return api.request('POST', path, { body: { metadata: { name }, ...spec }, query });
}
const service = (namespace: string, name: string, spec: object = {}, query = {}) =>
  create(namespace, 'services', name, { spec: { ports: [{ port: 80 }], ...spec } }, query);
const container = (name: string, requests: object = {}, limits: object = {}) => ({
  name,
  image: 'a',
  resources: { requests, limits },
});
const pod = (namespace: string, name: string, containers: object[], more: object = {}) =>
  create(namespace, 'pods', name, { spec: { containers, ...more } });

const quotaOf = (namespace: string) => `/api/v1/namespaces/${namespace}/resourcequotas/limit`;
const used = async (namespace: string): Promise<Record<string, string>> =>
  (await api.request('GET', quotaOf(namespace))).json.status.used;

/** Waits for the count that follows a deletion. */
async function usedBecomes(namespace: string, expected: Record<string, string>): Promise<void> {
  const matches = (quota: ResourceQuota): boolean =>
    Object.entries(expected).every(([name, value]) => quota.status?.used?.[name] === value);
  const { metadata, items } = await api.client.list(RESOURCE_QUOTAS, { namespace });
  if (items.some(matches)) return;
  const stop = new AbortController();
  const options = { namespace, resourceVersion: metadata.resourceVersion, signal: stop.signal };
  for await (const event of api.client.watch(RESOURCE_QUOTAS, options)) {
    if (matches(event.object)) break;
  }
  stop.abort();
}

const lb = { type: 'LoadBalancer' };
const REFUSED: [what: string, hard: Record<string, string>, first: object, second: object, message: string][] = [
  ['a second Service', { services: '1' }, {}, {}, 'requested: services=1, used: services=1, limited: services=1'],
  [
    'a second load balancer',
    { 'services.loadbalancers': '1' },
    lb,
    lb,
    'requested: services.loadbalancers=1, used: services.loadbalancers=1, limited: services.loadbalancers=1',
  ],
  [
    'more node ports than are left',
    { 'services.nodeports': '2' },
    lb,
    {
      type: 'NodePort',
      ports: [
        { port: 1, name: 'a' },
        { port: 2, name: 'b' },
      ],
    },
    'requested: services.nodeports=2, used: services.nodeports=1, limited: services.nodeports=2',
  ],
  [
    'any, by the long name',
    { 'count/services': '1' },
    {},
    {},
    'requested: count/services=1, used: count/services=1, limited: count/services=1',
  ],
  [
    'two limits at once, in the order of their names',
    { services: '1', 'count/services': '1' },
    {},
    {},
    'requested: count/services=1,services=1, used: count/services=1,services=1, limited: count/services=1,services=1',
  ],
];
for (const [what, hard, first, second, message] of REFUSED) {
  test(`a quota refuses ${what}`, async () => {
    const namespace = await limitedTo(hard);
    assert.equal((await service(namespace, 'one', first)).status, 201);
    const answer = await service(namespace, 'two', second);
    assert.equal(answer.status, 403);
    assert.equal(answer.json.message, `services "two" is forbidden: exceeded quota: limit, ${message}`);
    assert.equal((await api.request('GET', `/api/v1/namespaces/${namespace}/services/two`)).status, 404);
  });
}

test('what is used stands in the status from the first moment, and shrinks with a deletion', async () => {
  const namespace = await limitedTo({ services: '2', 'services.nodeports': '3', 'count/deployments.apps': '0' });
  await service(namespace, 'one', { type: 'NodePort' });
  const quota = (await api.request('GET', quotaOf(namespace))).json;
  assert.deepEqual(quota.status, {
    hard: quota.spec.hard,
    used: { services: '1', 'services.nodeports': '1', 'count/deployments.apps': '0' },
  });
  await api.request('DELETE', `/api/v1/namespaces/${namespace}/services/one`);
  await usedBecomes(namespace, { services: '0', 'services.nodeports': '0' });
  const deployment = {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container('a')] } },
    },
  };
  const refused = await create(namespace, 'deployments', 'web', deployment);
  assert.match(
    refused.json.message,
    /^deployments.apps "web" is forbidden: exceeded quota: limit, requested: count\/deployments.apps=1/,
  );
});

test('an update is counted by what it changes', async () => {
  const namespace = await limitedTo({ services: '1', 'services.nodeports': '1' });
  await service(namespace, 'one');
  const path = `/api/v1/namespaces/${namespace}/services/one`;
  const patch = (spec: object) =>
    api.request('PATCH', path, { headers: { 'content-type': 'application/merge-patch+json' }, body: { spec } });
  assert.equal((await patch({ type: 'NodePort' })).status, 200, 'a Service more is not asked for');
  assert.equal((await used(namespace))['services.nodeports'], '1');
  const more = await patch({
    ports: [
      { port: 80, name: 'a' },
      { port: 81, name: 'b' },
    ],
  });
  assert.match(
    more.json.message,
    /requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1/,
  );
  assert.equal((await patch({ type: 'ClusterIP' })).status, 200);
  assert.equal((await used(namespace))['services.nodeports'], '0');
});

test('a quota that comes later counts what is there, and a limit that changes is counted anew', async () => {
  const namespace = await limitedTo({ configmaps: '9' });
  await service(namespace, 'one');
  await service(namespace, 'two');
  const patch = (hard: object) =>
    api.request('PATCH', quotaOf(namespace), {
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { spec: { hard } },
    });
  await patch({ services: '2', configmaps: null });
  // No waiting: the first write counts by itself.
  assert.equal((await service(namespace, 'three')).status, 403);
  await usedBecomes(namespace, { services: '2' });
  assert.equal((await used(namespace))['configmaps'], undefined);
});

test('50 writers at once never pass a quota, and all places are given away', async () => {
  const namespace = await limitedTo({ services: '7', secrets: '5' });
  const names = Array.from({ length: 50 }, (_, index) => `s${String(index)}`);
  const answers = await Promise.all(
    names.map((name, index) => (index % 2 === 0 ? service(namespace, name) : create(namespace, 'secrets', name, {}))),
  );
  const made = answers.filter(({ status }) => status === 201);
  assert.equal(made.filter(({ json }) => json.kind === 'Service').length, 7);
  assert.equal(made.length, 12);
  assert.ok(answers.every(({ status }) => status === 201 || status === 403));
  assert.deepEqual(await used(namespace), { services: '7', secrets: '5' });
});

test('two servers on one store never pass a quota together', async () => {
  const namespace = await limitedTo({ configmaps: '9' });
  const other = await startTestApi({ store: sharedStore(api.store) });
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? api : other).request('POST', path, { body: { metadata: { name: `c${String(index)}` } } }),
    ),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 9);
  await usedBecomes(namespace, { configmaps: '9' });
  await other.stop();
});

test('custom objects are counted, too, and counted down', async () => {
  const names = { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' };
  const schema = { openAPIV3Schema: { type: 'object' } };
  const versions = [{ name: 'v1', served: true, storage: true, schema }];
  const spec = { group: 'example.com', scope: 'Namespaced', names, versions };
  const made = await api.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: { metadata: { name: 'widgets.example.com' }, spec },
  });
  assert.equal(made.status, 201, made.text);
  const namespace = await limitedTo({ 'count/widgets.example.com': '1' });
  const path = `/apis/example.com/v1/namespaces/${namespace}/widgets`;
  const widget = (name: string) =>
    api.request('POST', path, { body: { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name } } });
  assert.equal((await widget('one')).status, 201);
  assert.match((await widget('two')).json.message, /exceeded quota: limit, requested: count\/widgets.example.com=1/);
  await api.request('DELETE', `${path}/one`);
  await usedBecomes(namespace, { 'count/widgets.example.com': '0' });
  assert.equal((await widget('two')).status, 201);
});

test('a dry run is refused as the write would be, and takes nothing', async () => {
  const namespace = await limitedTo({ services: '1' });
  assert.equal((await service(namespace, 'dry', {}, { dryRun: 'All' })).status, 201);
  assert.equal((await service(namespace, 'one')).status, 201);
  assert.equal((await service(namespace, 'dry', {}, { dryRun: 'All' })).status, 403);
  assert.deepEqual(await used(namespace), { services: '1' });
});

test('Pods: what containers ask for is added up, and must be said where it is limited', async () => {
  const namespace = await limitedTo({ pods: '3', 'requests.cpu': '1', 'limits.memory': '1Gi' });
  const silent = await pod(namespace, 'silent', [container('a'), container('b', { cpu: '1m' })]);
  assert.equal(
    silent.json.message,
    'pods "silent" is forbidden: failed quota: limit: must specify limits.memory for: a,b; requests.cpu for: a',
  );
  const asks = (cpu: string) => container('a', { cpu }, { memory: '256Mi' });
  assert.equal((await pod(namespace, 'one', [asks('600m')])).status, 201);
  const more = await pod(namespace, 'two', [asks('500m')]);
  assert.equal(
    more.json.message,
    'pods "two" is forbidden: exceeded quota: limit, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  );
  assert.deepEqual(await used(namespace), { pods: '1', 'requests.cpu': '600m', 'limits.memory': '256Mi' });
  await api.request('PATCH', `/api/v1/namespaces/${namespace}/pods/one/status`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { status: { phase: 'Succeeded' } },
  });
  await usedBecomes(namespace, { pods: '0', 'requests.cpu': '0' });
  assert.equal((await pod(namespace, 'two', [asks('500m')])).status, 201, 'a Pod that ended holds nothing');
});

const SCOPED: [what: string, scope: object, inside: object, outside: object][] = [
  ['BestEffort', { scopes: ['BestEffort'] }, {}, { containers: [container('a', { cpu: '1m' })] }],
  ['Terminating', { scopes: ['Terminating'] }, { activeDeadlineSeconds: 60 }, {}],
  [
    'a PriorityClass',
    {
      scopeSelector: {
        matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['system-cluster-critical'] }],
      },
    },
    { priorityClassName: 'system-cluster-critical' },
    {},
  ],
];
for (const [what, scope, inside, outside] of SCOPED) {
  test(`a quota with a scope, ${what}, is about its Pods only`, async () => {
    const namespace = await limitedTo({ pods: '0' }, scope);
    assert.equal((await pod(namespace, 'in', [container('a')], inside)).status, 403);
    const answer = await create(namespace, 'pods', 'out', { spec: { containers: [container('a')], ...outside } });
    assert.equal(answer.status, 201, answer.text);
  });
}

const WRONG: [spec: object, message: string][] = [
  [
    { hard: { chairs: '1' } },
    'spec.hard[chairs]: Invalid value: "chairs": must be a standard resource type or fully qualified',
  ],
  [{ hard: { storage: '1' } }, 'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'],
  [{ hard: { services: '1500m' } }, 'spec.hard[services]: Invalid value: "1500m": must be an integer'],
  [{ hard: { pods: '-1' } }, 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
  [
    { hard: { services: '1' }, scopes: ['BestEffort'] },
    'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
  ],
  [
    { hard: { pods: '1' }, scopes: ['Terminating', 'NotTerminating'] },
    'spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes',
  ],
];
for (const [spec, message] of WRONG) {
  test(`a quota is refused: ${message.slice(0, 70)}`, async () => {
    const answer = await create('default', 'resourcequotas', 'wrong', { spec });
    assert.equal(answer.status, 422, answer.text);
    assert.ok(answer.json.message.includes(message), answer.json.message);
  });
}
