/** Custom resources through the whole API server, with the controllers that must know of them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { CustomResourceDefinition, DefinitionVersion } from '../../src/api/custom/definition.ts';
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES } from '../../src/api/kinds.ts';
import type { ConfigMap } from '../../src/api/types.ts';
import { garbageCollector } from '../../src/controllers/garbage-collector.ts';
import { startControllers } from '../../src/controllers/loop.ts';
import { namespaceController } from '../../src/controllers/namespace.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { startTestApi, type TestApi, type TestRequest } from '../support/api.ts';
import {
  CRON_TABS,
  cronTab,
  cronTabDefinition,
  cronTabSchema,
  cronTabVersion,
  definitionUntil,
  DEFINITIONS,
  isEstablished,
} from '../support/custom-resources.ts';

async function withApi(run: (api: TestApi) => Promise<void>): Promise<void> {
  const api = await startTestApi();
  try {
    await run(api);
  } finally {
    await api.stop();
  }
}

async function define(api: TestApi, definition: CustomResourceDefinition): Promise<void> {
  const { status, text } = await api.request('POST', DEFINITIONS, { body: definition });
  assert.equal(status, 201, text);
  await definitionUntil(api.client, isEstablished, definition.metadata.name);
}

const merge = (body: object): TestRequest => ({ body, headers: { 'content-type': 'application/merge-patch+json' } });
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

describe('a defined kind', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
    await define(api, cronTabDefinition());
    const made = await api.request('POST', CRON_TABS, { body: cronTab('a', { cronSpec: '* * * * */5', image: 'x' }) });
    assert.equal(made.status, 201, made.text);
  });
  after(() => api.stop());

  test('says that its names are accepted and that it is established', async () => {
    const { json } = await api.request('GET', `${DEFINITIONS}/crontabs.stable.example.com`);
    const facts = (json.status.conditions as { type: string; status: string; reason: string }[]).map(
      ({ type, status, reason }) => `${type} ${status} ${reason}`,
    );
    assert.deepEqual(facts, ['NamesAccepted True NoConflicts', 'Established True InitialNamesAccepted']);
    assert.deepEqual(json.status.acceptedNames, json.spec.names);
    assert.deepEqual(json.status.storedVersions, ['v1']);
  });

  test('is in both forms of discovery, with a fresh ETag', async () => {
    const { json } = await api.request('GET', '/apis/stable.example.com/v1');
    assert.deepEqual(
      (json.resources as { name: string }[]).map(({ name }) => name),
      ['crontabs', 'crontabs/status', 'crontabs/scale'],
    );
    assert.deepEqual(json.resources[0].shortNames, ['ct']);
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const aggregated = await api.request('GET', '/apis', { headers: { accept } });
    const group = (aggregated.json.items as { metadata: { name: string } }[]).find(
      ({ metadata }) => metadata.name === 'stable.example.com',
    );
    assert(group);
    const again = { accept, 'if-none-match': String(aggregated.headers['etag']) };
    assert.equal((await api.request('GET', '/apis', { headers: again })).status, 304);
    await define(api, {
      ...cronTabDefinition([cronTabVersion()], {
        scope: 'Cluster',
        names: { plural: 'others', kind: 'Other' },
      }),
      metadata: { name: 'others.stable.example.com' },
    });
    assert.equal((await api.request('GET', '/apis', { headers: again })).status, 200);
    assert.equal((await api.request('GET', '/apis/stable.example.com/v1/others')).json.kind, 'OtherList');
  });

  test('has defaults filled in, unknown fields dropped and named, and status kept apart', async () => {
    const body = cronTab('b', { cronSpec: '* * * * *', unknown: 1 }, { status: { replicas: 7 } });
    const { json, headers } = await api.request('POST', CRON_TABS, { body });
    assert.deepEqual([json.spec, json.status], [{ cronSpec: '* * * * *', replicas: 1 }, undefined]);
    assert.deepEqual(headers['warning'], ['299 - "unknown field \\"spec.unknown\\""']);
    const strict = await api.request('POST', `${CRON_TABS}?fieldValidation=Strict`, { body: cronTab('c', { x: 1 }) });
    assert.equal(strict.status, 400);
    assert.match(strict.json.message, /strict decoding error: unknown field "spec.x"$/);
    const yaml = 'apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: {name: y}\nspec: {image: y}\n';
    const made = await api.request('POST', CRON_TABS, { body: yaml, headers: { 'content-type': 'application/yaml' } });
    assert.deepEqual(made.json.spec, { image: 'y', replicas: 1 });
  });

  test("refuses what does not fit the schema, in Kubernetes' words", async () => {
    const wrong = await api.request('POST', CRON_TABS, { body: cronTab('bad', { cronSpec: '* *', replicas: 'two' }) });
    assert.equal(wrong.status, 422);
    assert.equal(
      wrong.json.message,
      'CronTab.stable.example.com "bad" is invalid: [spec.cronSpec: Invalid value: "* *": spec.cronSpec in body should match ' +
        "'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$', " +
        'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"]',
    );
    const many = await api.request('PATCH', `${CRON_TABS}/a`, merge({ spec: { replicas: 11 } }));
    assert.match(
      many.json.message,
      /spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10$/,
    );
    const other = await api.request('POST', CRON_TABS, { body: { ...cronTab('c'), kind: 'Other' } });
    assert.equal(other.status, 400);
  });

  test('counts generations by its spec alone, and keeps status to its subresource', async () => {
    const at = `${CRON_TABS}/a`;
    const generation = async () => (await api.request('GET', at)).json.metadata.generation as number;
    const first = await generation();
    await api.request('PATCH', at, merge({ metadata: { labels: { a: 'b' } }, status: { replicas: 9 } }));
    assert.equal(await generation(), first);
    const { json } = await api.request(
      'PATCH',
      `${at}/status`,
      merge({
        metadata: { labels: { a: 'c' } },
        spec: { image: 'z' },
        status: { replicas: 2, labelSelector: 'app=a' },
      }),
    );
    assert.deepEqual(
      [json.status, json.spec.image, json.metadata.labels, json.metadata.generation],
      [{ replicas: 2, labelSelector: 'app=a' }, 'x', { a: 'b' }, first],
    );
    await api.request('PATCH', at, merge({ spec: { suspend: true } }));
    assert.equal(await generation(), first + 1);
  });

  test('is scaled through the paths of its definition', async () => {
    const scale = await api.request('PATCH', `${CRON_TABS}/a/scale`, merge({ spec: { replicas: 4 } }));
    assert.deepEqual(
      [scale.json.kind, scale.json.spec, scale.json.status],
      ['Scale', { replicas: 4 }, { replicas: 2, selector: 'app=a' }],
    );
    assert.equal((await api.request('GET', `${CRON_TABS}/a`)).json.spec.replicas, 4);
    const much = await api.request('PATCH', `${CRON_TABS}/a/scale`, merge({ spec: { replicas: 40 } }));
    assert.match(much.json.message, /spec.replicas in body should be less than or equal to 10/);
  });

  test('prints its own columns', async () => {
    const { json } = await api.request('GET', `${CRON_TABS}/a`, { headers: TABLE });
    const columns = (json.columnDefinitions as { name: string; type: string; priority: number }[]).map(
      ({ name, type, priority }) => `${name} ${type} ${String(priority)}`,
    );
    assert.deepEqual(columns, ['Name string 0', 'Spec string 0', 'Replicas integer 0', 'Image string 1', 'Age date 0']);
    assert.deepEqual(json.rows[0].cells.slice(0, 4), ['a', '* * * * */5', 4, 'x']);
  });

  test('is selected by the fields it names, and by no others', async () => {
    const found = await api.request('GET', `${CRON_TABS}?fieldSelector=spec.image%3Dx`);
    assert.deepEqual(
      (found.json.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name),
      ['a'],
    );
    assert.equal((await api.request('GET', `${CRON_TABS}?fieldSelector=spec.suspend%3Dtrue`)).status, 400);
  });

  test('takes merge and JSON patches and no strategic ones', async () => {
    const json = [{ op: 'add', path: '/spec/image', value: 'w' }];
    const headers = { 'content-type': 'application/json-patch+json' };
    assert.equal((await api.request('PATCH', `${CRON_TABS}/b`, { body: json, headers })).json.spec.image, 'w');
    const strategic = { body: {}, headers: { 'content-type': 'application/strategic-merge-patch+json' } };
    const refused = await api.request('PATCH', `${CRON_TABS}/b`, strategic);
    assert.equal(refused.status, 415);
    assert.doesNotMatch(refused.json.message, /strategic/);
  });

  test('is explained in both versions of OpenAPI', async () => {
    const index = await api.request('GET', '/openapi/v3');
    const { serverRelativeURL } = index.json.paths['apis/stable.example.com/v1'];
    const { status, json, headers } = await api.request('GET', serverRelativeURL);
    assert.equal(status, 200);
    assert.match(String(headers['cache-control']), /immutable/);
    const schema = json.components.schemas['com.example.stable.v1.CronTab'];
    assert.equal(schema.properties.spec.properties.cronSpec.description, 'When.');
    const v2 = await api.request('GET', '/openapi/v2');
    assert.equal(v2.json.definitions['com.example.stable.v1.CronTab'].description, 'Runs something now and then.');
    assert(v2.json.definitions['io.k8s.api.core.v1.Pod']);
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    assert.match(
      (await api.request('GET', '/openapi/v2', { headers: { accept } })).text,
      /com\.example\.stable\.v1\.CronTab/,
    );
  });

  test('goes with all its objects, and comes back empty', async () => {
    const held = await api.request(
      'PATCH',
      `${CRON_TABS}/a`,
      merge({ metadata: { finalizers: ['example.com/held'] } }),
    );
    assert.equal(held.status, 200);
    await api.request('DELETE', `${DEFINITIONS}/crontabs.stable.example.com`);
    await definitionUntil(
      api.client,
      (each) => each?.status?.conditions?.some(({ reason }) => reason === 'InstanceDeletionInProgress') === true,
    );
    const watching = api.request('GET', `${CRON_TABS}?watch=true&fieldSelector=metadata.name%3Da`);
    const late = await api.request('POST', CRON_TABS, { body: cronTab('late') });
    assert.deepEqual(
      [late.status, late.json.message],
      [405, 'create not allowed while custom resource definition is terminating'],
    );
    await api.request('PATCH', `${CRON_TABS}/a`, merge({ metadata: { finalizers: null } }));
    await definitionUntil(api.client, (each) => each === undefined);
    assert.match((await watching).text, /^\{"type":"ADDED".*\n(\{"type":"MODIFIED".*\n)*\{"type":"DELETED".*\n$/);
    assert.equal((await api.request('GET', CRON_TABS)).status, 404);
    assert.equal((await api.request('GET', '/apis/stable.example.com/v1')).json.resources[0].name, 'others');
    await define(api, cronTabDefinition());
    assert.deepEqual((await api.request('GET', CRON_TABS)).json.items, []);
  });
});

test('objects of several versions are stored in one and served in each as its schema has them', async () => {
  const version = (name: string, storage: boolean, fields: string[], more: Partial<DefinitionVersion> = {}) => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) },
        },
      },
    },
    ...more,
  });
  const v1beta1 = { deprecated: true, deprecationWarning: 'v1beta1 is old' };
  const first = [version('v1beta1', true, ['a', 'b'], v1beta1), version('v1', false, ['b', 'c'])];
  const second = [version('v1beta1', false, ['a', 'b'], v1beta1), version('v1', true, ['b', 'c'])];
  await withApi(async (api) => {
    await define(api, cronTabDefinition(first));
    const old = CRON_TABS.replace('/v1/', '/v1beta1/');
    const body = { ...cronTab('x', { a: '1', b: '2' }), apiVersion: 'stable.example.com/v1beta1' };
    assert.deepEqual((await api.request('POST', old, { body })).headers['warning'], ['299 - "v1beta1 is old"']);
    const seen = async (path: string) => {
      const { json } = await api.request('GET', `${path}/x`);
      return [json.apiVersion, json.spec] as unknown;
    };
    assert.deepEqual(await seen(old), ['stable.example.com/v1beta1', { a: '1', b: '2' }]);
    assert.deepEqual(await seen(CRON_TABS), ['stable.example.com/v1', { b: '2' }]);
    assert.deepEqual((await api.request('GET', '/apis/stable.example.com')).json.preferredVersion.version, 'v1');
    const stored = async () => (await api.store.get('/registry/stable.example.com/crontabs/default/x'))?.value ?? '';
    assert.match(await stored(), /"apiVersion":"stable.example.com\/v1beta1"/);
    const definition = await api.client.get(CUSTOM_RESOURCE_DEFINITIONS, 'crontabs.stable.example.com');
    definition.spec.versions = second;
    const changed = await api.client.update(CUSTOM_RESOURCE_DEFINITIONS, definition);
    assert.deepEqual(changed.status?.storedVersions, ['v1beta1', 'v1']);
    assert.deepEqual(await seen(old), ['stable.example.com/v1beta1', { a: '1', b: '2' }], 'as it was written');
    await api.request('PATCH', `${CRON_TABS}/x`, merge({ spec: { c: '3' } }));
    assert.match(await stored(), /"apiVersion":"stable.example.com\/v1",.*"spec":\{"b":"2","c":"3"\}/);
    changed.spec.versions = [version('v1', true, ['b', 'c'])];
    await assert.rejects(
      api.client.update(CUSTOM_RESOURCE_DEFINITIONS, changed),
      /status\.storedVersions\[0\]: Invalid value: "v1beta1": missing from spec\.versions; v1beta1 was previously a storage version/,
    );
  });
});

test('a changed schema counts at once, for what is stored as well, and ends open watches', async () => {
  await withApi(async (api) => {
    await define(api, cronTabDefinition());
    await api.request('POST', CRON_TABS, { body: cronTab('a', { image: 'x' }) });
    const watching = api.request('GET', `${CRON_TABS}?watch=true`);
    const schema = structuredClone(cronTabSchema);
    const fields = schema.properties?.['spec']?.properties ?? {};
    fields['added'] = { type: 'string', default: 'new' };
    delete fields['image'];
    const version = cronTabVersion({ schema: { openAPIV3Schema: schema }, selectableFields: [] });
    const body = merge({ spec: { versions: [version] } });
    assert.equal((await api.request('PATCH', `${DEFINITIONS}/crontabs.stable.example.com`, body)).status, 200);
    assert.match((await watching).text, /^\{"type":"ADDED",.*"image":"x"/);
    assert.deepEqual((await api.request('GET', `${CRON_TABS}/a`)).json.spec, { replicas: 1, added: 'new' });
  });
});

test('a definition as they were before 1.16 is taken with a warning, and keeps unknown fields', async () => {
  await withApi(async (api) => {
    const { spec, metadata } = cronTabDefinition();
    const [{ schema = {} } = {}] = spec.versions;
    const old = {
      apiVersion: 'apiextensions.k8s.io/v1beta1',
      kind: 'CustomResourceDefinition',
      metadata,
      spec: {
        group: spec.group,
        names: { plural: 'crontabs', kind: 'CronTab' },
        version: 'v1',
        validation: { openAPIV3Schema: { properties: schema.openAPIV3Schema?.properties } },
        additionalPrinterColumns: [{ name: 'Spec', type: 'string', JSONPath: '.spec.cronSpec' }],
      },
    };
    const path = DEFINITIONS.replace('/v1/', '/v1beta1/');
    const made = await api.request('POST', path, { body: old });
    assert.equal(made.status, 201, made.text);
    assert.match(
      String(made.headers['warning']),
      /v1beta1 CustomResourceDefinition is deprecated in v1.16\+, unavailable in v1.22\+/,
    );
    await definitionUntil(api.client, isEstablished);
    const stored = await api.client.get(CUSTOM_RESOURCE_DEFINITIONS, 'crontabs.stable.example.com');
    assert.equal(stored.spec.versions[0]?.additionalPrinterColumns?.[0]?.jsonPath, '.spec.cronSpec');
    assert.match(
      stored.status?.conditions?.find(({ type }) => type === 'NonStructuralSchema')?.message ?? '',
      /openAPIV3Schema.type: Required value: must not be empty at the root$/,
    );
    const shown = (await api.request('GET', `${path}/crontabs.stable.example.com`)).json;
    assert.deepEqual(shown.spec.additionalPrinterColumns, old.spec.additionalPrinterColumns);
    assert.deepEqual([shown.spec.version, shown.spec.preserveUnknownFields], ['v1', true]);
    const { json } = await api.request('POST', CRON_TABS, { body: cronTab('a', { unknown: 1 }) });
    assert.deepEqual(json.spec, { unknown: 1, replicas: 1 });
    assert.equal((await api.request('POST', CRON_TABS, { body: cronTab('b', { replicas: 'x' }) })).status, 422);
  });
});

test('names are shared out within a group, and free ones go to who waits for them', async () => {
  await withApi(async (api) => {
    await define(api, cronTabDefinition());
    const rival = cronTabDefinition(undefined, { names: { plural: 'tabs', kind: 'CronTab', shortNames: ['ct'] } });
    rival.metadata.name = 'tabs.stable.example.com';
    await api.request('POST', DEFINITIONS, { body: rival });
    await definitionUntil(
      api.client,
      (each) =>
        each?.status?.conditions?.some(
          ({ type, reason, message }) =>
            type === 'NamesAccepted' && reason === 'ListKindConflict' && message === '"CronTabList" is already in use',
        ) === true,
      rival.metadata.name,
    );
    assert.equal((await api.request('GET', '/apis/stable.example.com/v1/tabs')).status, 404);
    await api.request('DELETE', `${DEFINITIONS}/crontabs.stable.example.com`);
    await definitionUntil(api.client, isEstablished, rival.metadata.name);
    assert.equal((await api.request('GET', '/apis/stable.example.com/v1/tabs')).status, 200);
  });
});

test('a restart keeps definitions and objects', async () => {
  const store = createMemoryStore();
  const first = await startTestApi({ store });
  await define(first, cronTabDefinition());
  await first.request('POST', CRON_TABS, { body: cronTab('a', { image: 'x' }) });
  await first.stop();
  const second = await startTestApi({ store });
  assert.deepEqual((await second.request('GET', `${CRON_TABS}/a`)).json.spec, { image: 'x', replicas: 1 });
  await second.stop();
});

test('the garbage collector and the end of a namespace know custom resources', async () => {
  const api = await startTestApi();
  const { client } = api;
  const controllers = startControllers([garbageCollector(), namespaceController], { client, log: silentLog });
  await controllers.started;
  await define(api, cronTabDefinition());
  const { json } = await api.request('POST', CRON_TABS, { body: cronTab('owner') });
  const ownerReferences = [
    { apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'owner', uid: json.metadata.uid as string },
  ];
  const map = (name: string, namespace: string, more = {}): ConfigMap => ({ metadata: { name, namespace, ...more } });
  await client.create(CONFIG_MAPS, map('owned', 'default', { ownerReferences }));
  await api.request('POST', CRON_TABS, {
    body: cronTab('child', {}, { metadata: { name: 'child', ownerReferences } }),
  });
  const gone = goneOf(api, ['default/owned']);
  await api.request('DELETE', `${CRON_TABS}/owner?propagationPolicy=Foreground`);
  await gone;
  await until(async () => (await api.request('GET', CRON_TABS)).json.items.length === 0);

  await client.create(NAMESPACES, { metadata: { name: 'ending' } });
  const inside = CRON_TABS.replace('default', 'ending');
  assert.equal((await api.request('POST', inside, { body: cronTab('inside') })).status, 201);
  await client.delete(NAMESPACES, 'ending');
  await until(async () => (await api.request('GET', '/api/v1/namespaces/ending')).status === 404);
  assert.deepEqual((await api.request('GET', inside)).json.items, []);
  await controllers.stop();
  await api.stop();
});

/** Resolves when the ConfigMaps have been deleted. */
async function goneOf({ client }: TestApi, keys: string[]): Promise<void> {
  const left = new Set(keys);
  for await (const { type, object } of client.watch(CONFIG_MAPS)) {
    if (type === 'DELETED') left.delete(`${object.metadata.namespace ?? ''}/${object.metadata.name}`);
    if (left.size === 0) return;
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('it never came true');
}
