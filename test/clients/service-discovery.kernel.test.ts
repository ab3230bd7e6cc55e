/**
 * Prometheus' `kubernetes_sd_configs` in all six roles against the real API server over TLS, with a token whose role lets
 * it get, list and watch these kinds and nothing else.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  apiVersionOf,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  SERVICE_ACCOUNTS,
  type Kind,
} from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { ROLES, SHOP, shopObjects, shopTargets, type Made } from './shop.ts';
import { startScraper, type Labels, type Scraper } from './victoria-metrics.ts';

const verbs = ['get', 'list', 'watch'];
const rules = [
  { apiGroups: [''], resources: ['nodes', 'pods', 'services', 'endpoints'], verbs },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs },
  { nonResourceURLs: ['/metrics'], verbs: ['get'] },
];
const RESOURCES = ['endpoints', 'endpointslices', 'ingresses', 'nodes', 'pods', 'services'];

let api: TlsApi;
let scraper: Scraper;
/** Of what has been started: without the program there is no scraper, and the server must still end. */
const stops: (() => Promise<void>)[] = [];

const create = (kind: Kind, object: object, subresource?: 'token') =>
  api.client.create(
    kind,
    { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object } as KubeObject,
    subresource && { subresource },
  );

async function make(wanted: readonly Made[]): Promise<void> {
  for (const { kind, object, status } of wanted) {
    const made = await api.client.create(kind, object);
    if (status) await api.client.update(kind, { ...made, status } as KubeObject, { subresource: 'status' });
  }
}

async function shut(id: number): Promise<void> {
  for (const { kind, object } of shopObjects(id).reverse())
    await api.client.delete(kind, object.metadata.name, object.metadata.namespace, { gracePeriodSeconds: 0 });
}

/** Resolves to the name of a file with its token. */
async function account(name: string): Promise<string> {
  const metadata = { name, namespace: SHOP };
  await create(SERVICE_ACCOUNTS, { metadata });
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata, spec: {} };
  const answer = (await create(SERVICE_ACCOUNTS, request, 'token')) as KubeObject & { status: { token: string } };
  const file = join(api.folder, `${name}.token`);
  writeFileSync(file, answer.status.token, { mode: 0o600 });
  return file;
}

before(async () => {
  api = await startTlsApi();
  stops.push(() => api.stop());
  await create(NAMESPACES, { metadata: { name: SHOP } });
  await make(shopObjects(0));
  const [scraping, stranger] = [await account('scraper'), await account('stranger')];
  await create(CLUSTER_ROLES, { metadata: { name: 'scraper' }, rules });
  await create(CLUSTER_ROLE_BINDINGS, {
    metadata: { name: 'scraper' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'scraper' },
    subjects: [{ kind: 'ServiceAccount', name: 'scraper', namespace: SHOP }],
  });
  const folder = join(api.folder, 'scraper');
  mkdirSync(folder);
  const ca = join(folder, 'ca.crt');
  writeFileSync(ca, api.admin.ca);
  const reach = (file: string) => ({ tls_config: { ca_file: ca }, authorization: { credentials_file: file } });
  const discover = (role: string, file: string, more: object = {}) => ({
    kubernetes_sd_configs: [{ role, api_server: api.url, ...reach(file), ...more }],
  });
  scraper = startScraper(folder, [
    ...ROLES.map((role) => ({ job_name: role, ...discover(role, scraping) })),
    ...ROLES.map((role) => ({ job_name: `stranger-${role}`, ...discover(role, stranger) })),
    {
      job_name: 'selected',
      ...discover('service', scraping, {
        namespaces: { names: [SHOP] },
        selectors: [{ role: 'service', label: 'team=a', field: 'metadata.name=web-0' }],
      }),
    },
    {
      job_name: 'apiserver',
      scheme: 'https',
      ...reach(scraping),
      ...discover('service', scraping),
      relabel_configs: [
        {
          source_labels: ['__meta_kubernetes_namespace', '__meta_kubernetes_service_name'],
          action: 'keep',
          regex: 'default;kubernetes',
        },
        // No proxy here that would make the cluster IP lead to it, and no DNS.
        { target_label: '__address__', replacement: new URL(api.url).host },
      ],
    },
  ]);
  stops.push(() => scraper.stop());
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
});

const address = (labels: Labels) => labels['__address__'] ?? '';

/** Until each role has the targets of these sets, with their labels, and no others. */
async function shows(...ids: number[]): Promise<void> {
  await eventually(async () => {
    const targets = await scraper.targets();
    for (const role of ROLES) {
      const wanted = ids.flatMap((id) => shopTargets(id)[role]);
      // Every cluster has it.
      if (role === 'service') wanted.push({ __address__: 'kubernetes.default.svc:443' });
      const found = targets.filter(({ job }) => job === role).map(({ discovered }) => discovered);
      assert.deepEqual(found.map(address).sort(), wanted.map(address).sort(), role);
      for (const each of wanted) {
        const all = found.find((other) => address(other) === address(each)) ?? {};
        assert.deepEqual(Object.fromEntries(Object.keys(each).map((name) => [name, all[name]])), each, role);
      }
    }
  });
}

test('each role finds its targets, with the labels Prometheus documents', async () => {
  await shows(0);
});

test('a namespace, a label selector and a field selector choose among them', async () => {
  await eventually(async () => {
    const selected = (await scraper.targets()).filter(({ job }) => job === 'selected');
    assert.deepEqual(
      selected.map(({ discovered }) => address(discovered)),
      ['web-0.shop.svc:9102'],
    );
  });
});

test('without the role it is told 403 for every kind, and discovers nothing', async () => {
  for (const resource of RESOURCES) {
    const refusal = new RegExp(
      `/${resource}": 403; .*${resource}.* is forbidden: User .*system:serviceaccount:shop:stranger.* cannot list resource`,
    );
    await eventually(() => {
      assert.match(scraper.text(), refusal);
    });
  }
  const found = (await scraper.targets()).filter(({ job }) => job.startsWith('stranger'));
  assert.deepEqual(found, []);
});

test('a target it has discovered is scraped: the API server itself, with the same token', async () => {
  await eventually(async () => {
    const up = await scraper.query('up{job="apiserver"}');
    assert.deepEqual(
      up.map(({ labels, value }) => [labels['instance'], value]),
      [[new URL(api.url).host, 1]],
    );
  });
  const [lists] = await scraper.query('sum(apiserver_request_total{verb="LIST",resource="pods",code="200"})');
  assert.ok(lists && lists.value >= 1, 'its own list of Pods is counted there');
});

/**
 * In the order of a cluster: endpoints once their Pods and Services are known. VictoriaMetrics 1.79 does not look again at
 * endpoints when it hears of their Pods later.
 */
async function open(id: number): Promise<void> {
  const all = shopObjects(id);
  const addresses = [ENDPOINTS, ENDPOINT_SLICES] as readonly Kind[];
  await make(all.filter(({ kind }) => !addresses.includes(kind)));
  await eventually(async () => {
    const seen = (await scraper.targets()).map(({ discovered }) => address(discovered));
    for (const each of [...shopTargets(id).pod, ...shopTargets(id).service]) assert.ok(seen.includes(address(each)));
  });
  await make(all.filter(({ kind }) => addresses.includes(kind)));
}

test('what is made later appears, and what is deleted goes', async () => {
  await open(1);
  await shows(0, 1);
  await shut(1);
  await shows(0);
});

test('it goes on following after the server has ended its watches, and none of them starts from too old a state', async () => {
  await eventually(async () => {
    const ended = await scraper.query('sum by (resource) (apiserver_request_total{verb="WATCH",code="200"}) >= 2');
    assert.deepEqual(ended.map(({ labels }) => labels['resource']).sort(), RESOURCES);
  });
  await open(2);
  await shut(0);
  await shows(2);
  const stale = await scraper.ownMetric('vm_promscrape_discovery_kubernetes_stale_resource_versions_total');
  assert.ok(stale.length >= RESOURCES.length && stale.every((count) => count === 0), String(stale));
});
