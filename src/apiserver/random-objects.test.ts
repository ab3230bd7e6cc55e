import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { parse } from 'yaml';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import { overlay, randomStruct, restore } from '../../test/support/random-objects.ts';
import * as K from '../api/kinds.ts';
import { definitionOf, structOf } from '../api/schema/load.ts';
import type { KubeObject } from '../api/types.ts';
import { toVersion } from '../api/versions/convert.ts';

const template = 'template: {metadata: {labels: {app: w}}, spec: {containers: [{name: c, image: i}]}}';
/** With labels: the first versions take those of the template where there are none. */
const workload = `metadata: {labels: {app: w}}\nspec: {selector: {matchLabels: {app: w}}, ${template}}`;
const pem = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n').toString(
  'base64',
);
const hook =
  'webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: "https://127.0.0.1:1/"}}]';
const reference = 'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}';

/** The least that each kind accepts, as it is stored; random fields are laid over it. */
const accepted = new Map<K.Kind, string>([
  [K.CONFIG_MAPS, '{}'],
  [K.ENDPOINTS, '{}'],
  [K.EVENTS, 'involvedObject: {namespace: default}'],
  [K.LIMIT_RANGES, 'spec: {limits: []}'],
  [K.NAMESPACES, '{}'],
  [K.NODES, '{}'],
  [K.PERSISTENT_VOLUME_CLAIMS, 'spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}'],
  [K.PERSISTENT_VOLUMES, 'spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /a}}'],
  [K.PODS, 'spec: {containers: [{name: c, image: i}]}'],
  [K.POD_TEMPLATES, template],
  [K.REPLICATION_CONTROLLERS, `spec: {selector: {app: w}, ${template}}`],
  [K.RESOURCE_QUOTAS, 'spec: {}'],
  [K.SECRETS, '{}'],
  [K.SERVICE_ACCOUNTS, '{}'],
  [K.SERVICES, 'spec: {ports: [{port: 80}]}'],
  [K.CONTROLLER_REVISIONS, 'revision: 1\ndata: {a: 1}'],
  [K.DAEMON_SETS, workload],
  [K.DEPLOYMENTS, workload],
  [K.REPLICA_SETS, workload],
  [K.STATEFUL_SETS, workload],
  [
    K.CRON_JOBS,
    `spec: {schedule: "* * * * *", jobTemplate: {spec: {${template.replace('spec: {', 'spec: {restartPolicy: Never, ')}}}}`,
  ],
  [K.JOBS, `spec: {${template.replace('spec: {', 'spec: {restartPolicy: Never, ')}}`],
  [K.LEASES, 'spec: {}'],
  [K.ENDPOINT_SLICES, 'addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]'],
  [K.INGRESS_CLASSES, 'spec: {controller: a.b/c}'],
  [K.INGRESSES, 'spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}'],
  [
    K.IP_ADDRESSES,
    'metadata: {name: 10.96.77.7}\nspec: {parentRef: {resource: services, namespace: default, name: s}}',
  ],
  [K.NETWORK_POLICIES, 'spec: {podSelector: {}}'],
  [K.SERVICE_CIDRS, 'spec: {cidrs: [10.97.0.0/24]}'],
  [K.POD_DISRUPTION_BUDGETS, 'spec: {minAvailable: 1, selector: {matchLabels: {app: w}}}'],
  [K.CLUSTER_ROLE_BINDINGS, reference],
  [K.CLUSTER_ROLES, 'rules: []'],
  [K.ROLE_BINDINGS, reference],
  [K.ROLES, 'rules: []'],
  [K.PRIORITY_CLASSES, 'value: 5'],
  [K.MUTATING_WEBHOOK_CONFIGURATIONS, hook],
  [K.VALIDATING_WEBHOOK_CONFIGURATIONS, hook],
  [K.HORIZONTAL_POD_AUTOSCALERS, 'spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: w}}'],
  [K.CERTIFICATE_SIGNING_REQUESTS, `spec: {request: ${pem}, signerName: a.b/c, usages: [client auth]}`],
  [K.RUNTIME_CLASSES, 'handler: runc'],
  [K.CSI_DRIVERS, 'spec: {}'],
  [K.CSI_NODES, 'spec: {drivers: []}'],
  [K.CSI_STORAGE_CAPACITIES, 'storageClassName: s'],
  [K.STORAGE_CLASSES, 'provisioner: a.b/c'],
  [K.VOLUME_ATTACHMENTS, 'spec: {attacher: a.b, nodeName: n, source: {persistentVolumeName: v}}'],
  [K.VOLUME_ATTRIBUTES_CLASSES, 'driverName: d\nparameters: {a: b}'],
  [
    K.API_SERVICES,
    'metadata: {name: v1.example.com}\nspec: {group: example.com, version: v1, groupPriorityMinimum: 1, versionPriority: 1}',
  ],
]);

/** A definition serves kinds of its own from then on: proved where it is at home. */
const elsewhere: readonly K.Kind[] = [K.CUSTOM_RESOURCE_DEFINITIONS];
/** What is laid over: metadata and status are the server's, a random hook or quota would refuse what comes after. */
const skipped = ['apiVersion', 'kind', 'metadata', 'status'];
const RUNS = 5;
const TRIES = 30;

/** How many objects were made, and how many of them hold anything random. */
const count = { all: 0, random: 0 };

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.stop());

const urlOf = (kind: K.Kind, name = ''): string => {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return `${root}${kind.namespaced ? '/namespaces/default' : ''}/${kind.plural}${name && `/${name}`}`;
};

function exampleOf(kind: K.Kind): KubeObject {
  const stored = K.storedKind(kind);
  const object = parse(accepted.get(stored) ?? '') as KubeObject;
  return toVersion({ ...object, metadata: { name: 'random', ...(object.metadata as object | undefined) } }, kind);
}

const servedAs = (kind: K.Kind): K.Kind[] => K.KINDS.filter((each) => K.storedKind(each) === K.storedKind(kind));

/** POST, and again without what was refused, until it is accepted or nothing random is left. */
async function create(kind: K.Kind, object: object): Promise<KubeObject> {
  const example = exampleOf(kind);
  let message = '';
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const before = api.store.revision();
    const { status, json, text } = await api.request('POST', urlOf(kind), { body: object });
    if (status === 201) return json as KubeObject;
    assert.ok(status >= 400 && status < 500, `${String(status)} ${text}`);
    assert.equal(api.store.revision(), before, `what is refused is not stored: ${text}`);
    message = json.message;
    const fields = (json.details?.causes ?? []).map(({ field }: { field?: string }) => field ?? '') as string[];
    const changed = fields.map((field) => restore(object, example, field)).some(Boolean);
    // Refused as a whole, or for what two fields make together: the least there is must do.
    if (changed) continue;
    for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
    Object.assign(object, structuredClone(example));
  }
  throw new Error(`not even the example of ${K.apiVersionOf(kind)} ${kind.kind} is accepted: ${message}`);
}

/** What every version shows is accepted by it again and changes nothing. The server itself counts what a quota is about. */
async function roundTrip(kind: K.Kind, made: KubeObject): Promise<void> {
  const { name } = made.metadata;
  for (const version of servedAs(kind)) {
    const shown = await api.request('GET', urlOf(version, name));
    assert.equal(shown.status, 200, shown.text);
    const put = await api.request('PUT', urlOf(version, name), { body: shown.json });
    assert.equal(put.status, 200, `${K.apiVersionOf(version)}: ${put.text}`);
    assert.deepEqual(put.json, shown.json, `by ${K.apiVersionOf(version)}`);
  }
  const again = await api.request('GET', urlOf(kind, name));
  if (kind === K.RESOURCE_QUOTAS) assert.deepEqual(again.json.spec, (made as { spec?: unknown }).spec);
  else assert.deepEqual(again.json, made, 'it is what it was');
}

/** PUT of `/status`, accepted or refused. */
async function changeStatus(kind: K.Kind, wanted: object): Promise<KubeObject> {
  const { name } = (wanted as KubeObject).metadata;
  const { status, json, text } = await api.request('PUT', `${urlOf(kind, name)}/status`, { body: wanted });
  if (status === 200) return json as KubeObject;
  assert.ok(status >= 400 && status < 500, `${String(status)} ${text}`);
  return (await api.request('GET', urlOf(kind, name))).json as KubeObject;
}

async function remove(kind: K.Kind, name: string): Promise<void> {
  const stored = K.storedKind(kind);
  const finalizers = { metadata: { finalizers: null } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  await api.request('DELETE', urlOf(stored, name), { body: { gracePeriodSeconds: 0 } });
  await api.request('PATCH', urlOf(stored, name), { headers, body: finalizers });
  if (stored !== K.NAMESPACES) return;
  const { json } = await api.request('GET', urlOf(stored, name));
  await api.request('PUT', `${urlOf(stored, name)}/finalize`, { body: { ...json, spec: { finalizers: [] } } });
}

describe('a random object comes back equal through every version, or is refused and not stored', () => {
  for (const kind of K.KINDS) {
    if (elsewhere.includes(K.storedKind(kind))) continue;
    test(`${K.apiVersionOf(kind)} ${kind.kind}`, async () => {
      const definition = definitionOf(K.apiVersionOf(kind), kind.kind) ?? '';
      const statusType = kind.subresources.includes('status') ? structOf(definition).fields['status'] : undefined;
      const anyStatus = statusType ? randomStruct(statusType.slice(1)) : fc.constant({});
      await fc.assert(
        fc.asyncProperty(randomStruct(definition, 0, skipped), anyStatus, async (random, status) => {
          const object = overlay(exampleOf(kind), JSON.parse(JSON.stringify(random))) as KubeObject;
          const made = await create(kind, object);
          count.all++;
          if (!isDeepStrictEqual(object, exampleOf(kind))) count.random++;
          try {
            await roundTrip(kind, made);
            if (statusType) await roundTrip(kind, await changeStatus(kind, { ...made, status }));
          } finally {
            await remove(kind, made.metadata.name);
          }
          assert.equal((await api.request('GET', urlOf(kind, made.metadata.name))).status, 404);
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    });
  }
});

test('most of the objects hold something random', () => {
  assert.ok(count.random > count.all / 3, JSON.stringify(count));
});

test('every kind but those proved elsewhere has an example', () => {
  const stored = K.KINDS.filter((kind) => K.storedKind(kind) === kind && !elsewhere.includes(kind));
  assert.deepEqual(
    stored.filter((kind) => !accepted.has(kind)).map(({ kind }) => kind),
    [],
  );
});
