/**
 * The table of kinds. Everything generic (routes, discovery, tables, OpenAPI, clients, garbage collection) is driven by it,
 * so a new kind is a row. Behaviour (defaults, validation, allocation) is code elsewhere, found by the row.
 */
import type { CustomResourceDefinition } from './custom/definition.ts';
import type { JsonSchema } from './custom/schema.ts';
import type { Decoded } from './decode.ts';
import type { Strategy } from './strategy.ts';
import type { Printer } from './tables/printer.ts';
import type * as T from './types.ts';
import type { Conversion } from './versions/conversion.ts';
import { eventConversion } from './versions/event.ts';

export type Subresource =
  | 'status'
  | 'scale'
  | 'binding'
  | 'eviction'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward'
  | 'proxy'
  | 'token'
  | 'finalize'
  | 'ephemeralcontainers';

/** One row. `T` ties the row to the shape of its objects, so that `client.get(PODS, …)` is a Pod. */
export interface Kind<Object extends T.KubeObject = T.KubeObject> {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The resource name in URLs: lower-case plural. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** `all` puts it into `kubectl get all` (feature 8-009). */
  readonly categories: readonly string[];
  readonly subresources: readonly Subresource[];
  /** The row whose storage this one is a view of; itself where undefined (events.k8s.io Events are stored as core Events). */
  readonly storedAs?: Kind;
  /** Between this row and the stored one; undefined where they differ in nothing but apiVersion. */
  readonly conversion?: Conversion;
  /** What every answer warns of (feature 8-010). */
  readonly deprecated?: string;
  /** The kind of a list, where it is not the kind with `List` behind it. */
  readonly listKind?: string;
  /** Of kinds that a CustomResourceDefinition defines: all that is code or table for the others. */
  readonly custom?: CustomBehaviour;
  /** Type only, never set. */
  readonly _object?: Object;
}

/** How objects of one version of a custom resource behave; made by `custom/kinds.ts` from the definition. */
export interface CustomBehaviour {
  readonly schema: JsonSchema;
  /** The definition is being deleted: nothing new is made. */
  readonly isTerminating: boolean;
  readonly strategy: Strategy;
  readonly printer: Printer;
  /** `spec.color`, besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Where the Scale finds its numbers, as lists of field names. */
  readonly scale?: {
    readonly specReplicas: readonly string[];
    readonly statusReplicas: readonly string[];
    readonly labelSelector?: readonly string[];
  };
  decode(raw: unknown, duplicateFields?: readonly string[]): Decoded;
  /** A stored object, of whatever version it was written in, as this version has it. May change what it is given. */
  fromStored(object: T.KubeObject): T.KubeObject;
  /** An object of this version in the version that is stored. */
  toStored(object: T.KubeObject): T.KubeObject;
}

type Row = [kind: string, plural: string, shortNames?: string, subresources?: string, categories?: string];

function define<Object extends T.KubeObject = T.KubeObject>(
  groupVersion: string,
  scope: 'Namespaced' | 'Cluster',
  [kind, plural, shortNames = '', subresources = '', categories = '']: Row,
  more: Partial<Pick<Kind, 'storedAs' | 'conversion' | 'deprecated'>> = {},
): Kind<Object> {
  const slash = groupVersion.indexOf('/');
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  return Object.freeze({
    group: slash < 0 ? '' : groupVersion.slice(0, slash),
    version: groupVersion.slice(slash + 1),
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: words(shortNames),
    namespaced: scope === 'Namespaced',
    categories: words(categories),
    subresources: words(subresources) as Subresource[],
    ...more,
  });
}

export const NAMESPACES = define<T.Namespace>('v1', 'Cluster', ['Namespace', 'namespaces', 'ns', 'status finalize']);
export const NODES = define<T.Node>('v1', 'Cluster', ['Node', 'nodes', 'no', 'status proxy']);
export const PODS = define<T.Pod>('v1', 'Namespaced', [
  'Pod',
  'pods',
  'po',
  'status log exec attach portforward proxy binding eviction ephemeralcontainers',
  'all',
]);
export const SERVICES = define<T.Service>('v1', 'Namespaced', ['Service', 'services', 'svc', 'status proxy', 'all']);
export const ENDPOINTS = define<T.Endpoints>('v1', 'Namespaced', ['Endpoints', 'endpoints', 'ep'], {
  deprecated: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
});
export const CONFIG_MAPS = define<T.ConfigMap>('v1', 'Namespaced', ['ConfigMap', 'configmaps', 'cm']);
export const SECRETS = define<T.Secret>('v1', 'Namespaced', ['Secret', 'secrets']);
export const SERVICE_ACCOUNTS = define<T.ServiceAccount>('v1', 'Namespaced', [
  'ServiceAccount',
  'serviceaccounts',
  'sa',
  'token',
]);
export const EVENTS = define<T.Event>('v1', 'Namespaced', ['Event', 'events', 'ev']);
export const REPLICATION_CONTROLLERS = define<T.ReplicationController>('v1', 'Namespaced', [
  'ReplicationController',
  'replicationcontrollers',
  'rc',
  'status scale',
  'all',
]);
export const LIMIT_RANGES = define<T.LimitRange>('v1', 'Namespaced', ['LimitRange', 'limitranges', 'limits']);
export const RESOURCE_QUOTAS = define<T.ResourceQuota>('v1', 'Namespaced', [
  'ResourceQuota',
  'resourcequotas',
  'quota',
  'status',
]);
export const PERSISTENT_VOLUMES = define('v1', 'Cluster', ['PersistentVolume', 'persistentvolumes', 'pv', 'status']);
export const PERSISTENT_VOLUME_CLAIMS = define<T.PersistentVolumeClaim>('v1', 'Namespaced', [
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
  'pvc',
  'status',
]);
export const POD_TEMPLATES = define('v1', 'Namespaced', ['PodTemplate', 'podtemplates']);

export const DEPLOYMENTS = define<T.Deployment>('apps/v1', 'Namespaced', [
  'Deployment',
  'deployments',
  'deploy',
  'status scale',
  'all',
]);
export const REPLICA_SETS = define<T.ReplicaSet>('apps/v1', 'Namespaced', [
  'ReplicaSet',
  'replicasets',
  'rs',
  'status scale',
  'all',
]);
export const DAEMON_SETS = define<T.DaemonSet>('apps/v1', 'Namespaced', [
  'DaemonSet',
  'daemonsets',
  'ds',
  'status',
  'all',
]);
export const STATEFUL_SETS = define<T.StatefulSet>('apps/v1', 'Namespaced', [
  'StatefulSet',
  'statefulsets',
  'sts',
  'status scale',
  'all',
]);
export const CONTROLLER_REVISIONS = define<T.ControllerRevision>('apps/v1', 'Namespaced', [
  'ControllerRevision',
  'controllerrevisions',
]);

export const JOBS = define<T.Job>('batch/v1', 'Namespaced', ['Job', 'jobs', '', 'status', 'all']);
export const CRON_JOBS = define<T.CronJob>('batch/v1', 'Namespaced', ['CronJob', 'cronjobs', 'cj', 'status', 'all']);

export const ENDPOINT_SLICES = define<T.EndpointSlice>('discovery.k8s.io/v1', 'Namespaced', [
  'EndpointSlice',
  'endpointslices',
]);
export const INGRESSES = define<T.Ingress>('networking.k8s.io/v1', 'Namespaced', [
  'Ingress',
  'ingresses',
  'ing',
  'status',
]);
export const INGRESS_CLASSES = define<T.IngressClass>('networking.k8s.io/v1', 'Cluster', [
  'IngressClass',
  'ingressclasses',
]);
export const NETWORK_POLICIES = define('networking.k8s.io/v1', 'Namespaced', [
  'NetworkPolicy',
  'networkpolicies',
  'netpol',
]);
export const SERVICE_CIDRS = define<T.ServiceCIDR>('networking.k8s.io/v1', 'Cluster', [
  'ServiceCIDR',
  'servicecidrs',
  '',
  'status',
]);
export const IP_ADDRESSES = define<T.IPAddress>('networking.k8s.io/v1', 'Cluster', ['IPAddress', 'ipaddresses', 'ip']);
export const LEASES = define<T.Lease>('coordination.k8s.io/v1', 'Namespaced', ['Lease', 'leases']);
export const ROLES = define<T.Role>('rbac.authorization.k8s.io/v1', 'Namespaced', ['Role', 'roles']);
export const ROLE_BINDINGS = define<T.RoleBinding>('rbac.authorization.k8s.io/v1', 'Namespaced', [
  'RoleBinding',
  'rolebindings',
]);
export const CLUSTER_ROLES = define<T.ClusterRole>('rbac.authorization.k8s.io/v1', 'Cluster', [
  'ClusterRole',
  'clusterroles',
]);
export const CLUSTER_ROLE_BINDINGS = define<T.ClusterRoleBinding>('rbac.authorization.k8s.io/v1', 'Cluster', [
  'ClusterRoleBinding',
  'clusterrolebindings',
]);
export const POD_DISRUPTION_BUDGETS = define<T.PodDisruptionBudget>('policy/v1', 'Namespaced', [
  'PodDisruptionBudget',
  'poddisruptionbudgets',
  'pdb',
  'status',
]);
export const PRIORITY_CLASSES = define<T.PriorityClass>('scheduling.k8s.io/v1', 'Cluster', [
  'PriorityClass',
  'priorityclasses',
  'pc',
]);
export const MUTATING_WEBHOOK_CONFIGURATIONS = define<T.MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'Cluster',
  ['MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', '', '', 'api-extensions'],
);
export const VALIDATING_WEBHOOK_CONFIGURATIONS = define<T.ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'Cluster',
  ['ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', '', '', 'api-extensions'],
);
export const CUSTOM_RESOURCE_DEFINITIONS = define<CustomResourceDefinition>('apiextensions.k8s.io/v1', 'Cluster', [
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'crd crds',
  'status',
  'api-extensions',
]);
export const EVENTS_V1 = define('events.k8s.io/v1', 'Namespaced', ['Event', 'events', 'ev'], {
  storedAs: EVENTS,
  conversion: eventConversion,
});

/** Every served kind, in the order discovery lists them. */
export const KINDS: readonly Kind[] = [
  CONFIG_MAPS,
  ENDPOINTS,
  EVENTS,
  LIMIT_RANGES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  POD_TEMPLATES,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  REPLICA_SETS,
  STATEFUL_SETS,
  CRON_JOBS,
  JOBS,
  LEASES,
  ENDPOINT_SLICES,
  EVENTS_V1,
  INGRESS_CLASSES,
  INGRESSES,
  IP_ADDRESSES,
  NETWORK_POLICIES,
  SERVICE_CIDRS,
  POD_DISRUPTION_BUDGETS,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  ROLE_BINDINGS,
  ROLES,
  PRIORITY_CLASSES,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  CUSTOM_RESOURCE_DEFINITIONS,
];

/** The row whose storage a kind uses: its own but for further versions and views. */
export function storedKind(kind: Kind): Kind {
  return kind.storedAs ?? kind;
}

/** `v1` for the core group, else `group/version`: the text of `apiVersion`. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** `pods`, `deployments.apps`: how error messages and kubectl name a resource (feature 8-093). */
export function resourceNameOf(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** `DeploymentList`. */
export function listKindOf(kind: Kind): string {
  return kind.listKind ?? `${kind.kind}List`;
}

const byResource = new Map(KINDS.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));
const byApiVersion = new Map(KINDS.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));

/** The row a URL names, or undefined. */
export function kindByResource(group: string, version: string, plural: string): Kind | undefined {
  return byResource.get(`${group}/${version}/${plural}`);
}

/** The row an object's own apiVersion and kind name, or undefined. */
export function kindByApiVersion(apiVersion: string, kind: string): Kind | undefined {
  return byApiVersion.get(`${apiVersion}/${kind}`);
}
