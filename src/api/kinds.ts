/**
 * The table of kinds. Everything generic (routes, discovery, tables, OpenAPI, clients, garbage collection) is driven by it,
 * so a new kind is a row. Behaviour (defaults, validation, allocation) is code elsewhere, found by the row.
 */
import type { CustomResourceDefinition } from './custom/definition.ts';
import { apiVersionOf, define, older, type Kind } from './kind.ts';
import type * as T from './types.ts';
import { definitionV1beta1 } from './versions/custom-resource-definition.ts';
import { endpointSliceConversion, endpointSliceV1beta1 } from './versions/endpoint-slice.ts';
import { eventConversion } from './versions/event.ts';
import { horizontalPodAutoscalerV1 } from './versions/horizontal-pod-autoscaler.ts';
import { ingressV1beta1 } from './versions/ingress.ts';
import { podDisruptionBudgetConversion, podDisruptionBudgetV1beta1 } from './versions/pod-disruption-budget.ts';
import * as old from './versions/workloads.ts';

export { apiVersionOf, storedKind, type CustomBehaviour, type Kind, type Subresource } from './kind.ts';

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

export const ENDPOINT_SLICES = define<T.EndpointSlice>(
  'discovery.k8s.io/v1',
  'Namespaced',
  ['EndpointSlice', 'endpointslices'],
  { conversion: endpointSliceConversion },
);
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
export const POD_DISRUPTION_BUDGETS = define<T.PodDisruptionBudget>(
  'policy/v1',
  'Namespaced',
  ['PodDisruptionBudget', 'poddisruptionbudgets', 'pdb', 'status'],
  { conversion: podDisruptionBudgetConversion },
);
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
export const HORIZONTAL_POD_AUTOSCALERS = define<T.HorizontalPodAutoscaler>('autoscaling/v2', 'Namespaced', [
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  'hpa',
  'status',
  'all',
]);
export const HORIZONTAL_POD_AUTOSCALERS_V1 = define(
  'autoscaling/v1',
  'Namespaced',
  ['HorizontalPodAutoscaler', 'horizontalpodautoscalers', 'hpa', 'status', 'all'],
  { storedAs: HORIZONTAL_POD_AUTOSCALERS, conversion: horizontalPodAutoscalerV1 },
);
export const CERTIFICATE_SIGNING_REQUESTS = define<T.CertificateSigningRequest>('certificates.k8s.io/v1', 'Cluster', [
  'CertificateSigningRequest',
  'certificatesigningrequests',
  'csr',
  'status approval',
]);
export const RUNTIME_CLASSES = define<T.RuntimeClass>('node.k8s.io/v1', 'Cluster', ['RuntimeClass', 'runtimeclasses']);
export const CSI_DRIVERS = define<T.CSIDriver>('storage.k8s.io/v1', 'Cluster', ['CSIDriver', 'csidrivers']);
export const CSI_NODES = define<T.CSINode>('storage.k8s.io/v1', 'Cluster', ['CSINode', 'csinodes']);
export const CSI_STORAGE_CAPACITIES = define<T.CSIStorageCapacity>('storage.k8s.io/v1', 'Namespaced', [
  'CSIStorageCapacity',
  'csistoragecapacities',
]);
export const STORAGE_CLASSES = define<T.StorageClass>('storage.k8s.io/v1', 'Cluster', [
  'StorageClass',
  'storageclasses',
  'sc',
]);
export const VOLUME_ATTACHMENTS = define<T.VolumeAttachment>('storage.k8s.io/v1', 'Cluster', [
  'VolumeAttachment',
  'volumeattachments',
  '',
  'status',
]);
export const VOLUME_ATTRIBUTES_CLASSES = define<T.VolumeAttributesClass>('storage.k8s.io/v1', 'Cluster', [
  'VolumeAttributesClass',
  'volumeattributesclasses',
  'vac',
]);
export const API_SERVICES = define<T.APIService>('apiregistration.k8s.io/v1', 'Cluster', [
  'APIService',
  'apiservices',
  '',
  'status',
  'api-extensions',
]);
export const EVENTS_V1 = define('events.k8s.io/v1', 'Namespaced', ['Event', 'events', 'ev'], {
  storedAs: EVENTS,
  conversion: eventConversion,
});

const OLDER_KINDS: readonly Kind[] = [
  older(CUSTOM_RESOURCE_DEFINITIONS, 'apiextensions.k8s.io/v1beta1', [16, 22], definitionV1beta1),
  older(DAEMON_SETS, 'apps/v1beta2', [9, 16]),
  older(DEPLOYMENTS, 'apps/v1beta2', [9, 16]),
  older(REPLICA_SETS, 'apps/v1beta2', [9, 16]),
  older(STATEFUL_SETS, 'apps/v1beta2', [9, 16]),
  older(CONTROLLER_REVISIONS, 'apps/v1beta2', [9, 16]),
  older(DEPLOYMENTS, 'apps/v1beta1', [8, 16], old.deploymentV1beta1),
  older(STATEFUL_SETS, 'apps/v1beta1', [8, 16], old.statefulSetV1beta1),
  older(CONTROLLER_REVISIONS, 'apps/v1beta1', [8, 16]),
  older(CRON_JOBS, 'batch/v1beta1', [21, 25]),
  older(LEASES, 'coordination.k8s.io/v1beta1', [19, 22]),
  older(ENDPOINT_SLICES, 'discovery.k8s.io/v1beta1', [21, 25], endpointSliceV1beta1),
  older(EVENTS_V1, 'events.k8s.io/v1beta1', [22, 25], eventConversion),
  older(INGRESSES, 'networking.k8s.io/v1beta1', [19, 22], ingressV1beta1),
  older(INGRESS_CLASSES, 'networking.k8s.io/v1beta1', [19, 22], undefined, 'IngressClassList'),
  older(IP_ADDRESSES, 'networking.k8s.io/v1beta1', [34, 37]),
  older(SERVICE_CIDRS, 'networking.k8s.io/v1beta1', [34, 37]),
  older(POD_DISRUPTION_BUDGETS, 'policy/v1beta1', [21, 25], podDisruptionBudgetV1beta1),
  older(CLUSTER_ROLE_BINDINGS, 'rbac.authorization.k8s.io/v1beta1', [17, 22]),
  older(CLUSTER_ROLES, 'rbac.authorization.k8s.io/v1beta1', [17, 22]),
  older(ROLE_BINDINGS, 'rbac.authorization.k8s.io/v1beta1', [17, 22]),
  older(ROLES, 'rbac.authorization.k8s.io/v1beta1', [17, 22]),
  older(PRIORITY_CLASSES, 'scheduling.k8s.io/v1beta1', [14, 22]),
  // Last, so that a name which two groups serve means the other one.
  older(DAEMON_SETS, 'extensions/v1beta1', [8, 16], old.daemonSetExtensions),
  older(DEPLOYMENTS, 'extensions/v1beta1', [8, 16], old.deploymentExtensions),
  older(INGRESSES, 'extensions/v1beta1', [14, 22], ingressV1beta1),
  older(NETWORK_POLICIES, 'extensions/v1beta1', [9, 16]),
  older(REPLICA_SETS, 'extensions/v1beta1', [8, 16], old.replicaSetExtensions),
];

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
  HORIZONTAL_POD_AUTOSCALERS,
  HORIZONTAL_POD_AUTOSCALERS_V1,
  CERTIFICATE_SIGNING_REQUESTS,
  RUNTIME_CLASSES,
  CSI_DRIVERS,
  CSI_NODES,
  CSI_STORAGE_CAPACITIES,
  STORAGE_CLASSES,
  VOLUME_ATTACHMENTS,
  VOLUME_ATTRIBUTES_CLASSES,
  API_SERVICES,
  ...OLDER_KINDS,
];

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
