/** The whole chain on a real API server in this process: Deployment and Service in, Pods assigned, endpoints and slices out, and all gone again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestApi } from '../../test/support/api.ts';
import { isNotFound } from '../api/api-error.ts';
import {
  DEPLOYMENTS,
  ENDPOINTS,
  ENDPOINT_SLICES,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  SERVICES,
  SERVICE_ACCOUNTS,
  type Kind,
} from '../api/kinds.ts';
import type { Deployment, EndpointSlice, KubeObject, Node, Pod, Service } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import { silentLog } from '../lib/log.ts';
import { runScheduler } from '../scheduler/run.ts';
import { runControllers } from './run.ts';

const NAMESPACE = 'shop';
const LABELS = { app: 'web' };

async function until<T extends KubeObject>(client: Client, kind: Kind<T>, check: (all: T[]) => boolean): Promise<T[]> {
  const signal = AbortSignal.timeout(10_000);
  const all = new Map<string, T>();
  const key = ({ metadata }: T) => `${metadata.namespace ?? ''}/${metadata.name}`;
  const { items, metadata } = await client.list(kind);
  for (const item of items) all.set(key(item), item);
  if (check([...all.values()])) return [...all.values()];
  for await (const event of client.watch(kind, { signal, resourceVersion: metadata.resourceVersion })) {
    if (event.type === 'DELETED') all.delete(key(event.object));
    else if (event.type !== 'BOOKMARK') all.set(key(event.object), event.object);
    if (check([...all.values()])) return [...all.values()];
  }
  throw new Error(`waited in vain for ${kind.plural}: ${JSON.stringify([...all.values()], null, 1)}`);
}

function node(name: string, address: string): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: 'True' }],
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
    },
  };
}

const deployment: Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: NAMESPACE },
  spec: {
    replicas: 4,
    selector: { matchLabels: LABELS },
    template: { metadata: { labels: LABELS }, spec: { containers: [{ name: 'web', image: 'web' }] } },
  },
};
const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: NAMESPACE },
  spec: { selector: LABELS, ports: [{ port: 80, targetPort: 8080 }] },
};

/** What a kubelet would say once the containers answer. */
async function makeReady(client: Client, pod: Pod, ip: string): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions = ['Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: now,
  }));
  const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions };
  await client.patch(
    PODS,
    pod.metadata.name,
    pod.metadata.namespace,
    'strategic',
    { status },
    { subresource: 'status' },
  );
}

const readyCount = (slices: EndpointSlice[]) =>
  slices
    .filter(({ metadata }) => metadata.namespace === NAMESPACE)
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ conditions }) => conditions?.ready).length;

test('a Deployment behind a Service: from the manifest to endpoints, and back to nothing', async (t) => {
  const api = await startTestApi();
  t.after(() => api.stop());
  const { client } = api;
  const controllers = runControllers({
    client,
    log: silentLog,
    clusterCidr: '10.244.0.0/16',
    caPem: 'PEM',
    clusterDns: { clusterIPs: ['10.96.0.10'], corefile: '.:53 {\n}\n' },
  });
  t.after(() => controllers.stop());
  const scheduler = runScheduler({ client, log: silentLog });
  t.after(() => scheduler.stop());
  await Promise.all([controllers.started, scheduler.started]);

  for (const [name, address] of [
    ['node01', '172.30.0.11'],
    ['node02', '172.30.0.12'],
  ] as const) {
    const { status } = node(name, address);
    await client.create(NODES, node(name, address));
    await client.patch(NODES, name, undefined, 'merge', { status }, { subresource: 'status' });
  }
  const nodes = await until(client, NODES, (all) => all.length === 2 && all.every(({ spec }) => spec?.podCIDR));
  assert.deepEqual(nodes.map(({ spec }) => spec?.podCIDR).sort(), ['10.244.0.0/24', '10.244.1.0/24']);
  await until(client, NODES, (all) => all.every(({ spec }) => (spec?.taints ?? []).length === 0));

  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  await until(client, SERVICE_ACCOUNTS, (all) => all.some(({ metadata }) => metadata.namespace === NAMESPACE));
  await client.create(SERVICES, service);
  await client.create(DEPLOYMENTS, deployment);
  const pods = await until(client, PODS, (all) => all.length === 4 && all.every(({ spec }) => spec.nodeName));
  assert.deepEqual(pods.map(({ spec }) => spec.nodeName).sort(), ['node01', 'node01', 'node02', 'node02']);

  for (const [n, pod] of pods.entries()) await makeReady(client, pod, `10.244.0.${String(n + 2)}`);
  const slices = await until(client, ENDPOINT_SLICES, (all) => readyCount(all) === 4);
  assert.equal(slices.filter(({ metadata }) => metadata.namespace === NAMESPACE).length, 1);
  const [endpoints] = await until(client, ENDPOINTS, (all) =>
    all.some(({ metadata, subsets }) => metadata.namespace === NAMESPACE && subsets?.[0]?.addresses?.length === 4),
  ).then((all) => all.filter(({ metadata }) => metadata.namespace === NAMESPACE));
  assert.deepEqual(
    endpoints?.subsets?.[0]?.addresses?.map(({ ip }) => ip),
    [2, 3, 4, 5].map((n) => `10.244.0.${String(n)}`),
  );
  await until(client, DEPLOYMENTS, ([only]) => only?.status?.readyReplicas === 4);

  await client.delete(NAMESPACES, NAMESPACE);
  // The kubelet's part: a Pod that was asked to go has gone.
  await until(client, PODS, (all) => all.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  for (const { metadata } of (await client.list(PODS)).items) {
    await client.delete(PODS, metadata.name, metadata.namespace, { gracePeriodSeconds: 0 }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  await until(client, NAMESPACES, (all) => all.every(({ metadata }) => metadata.name !== NAMESPACE));
  for (const kind of [SERVICES, ENDPOINTS, ENDPOINT_SLICES, DEPLOYMENTS, REPLICA_SETS, PODS] as Kind[]) {
    assert.deepEqual((await client.list(kind, { namespace: NAMESPACE })).items, [], kind.plural);
  }
});
