/**
 * How lists merge (features 1-062, 8-011, 8-069): facts about the Kubernetes API that the published models leave out.
 * A list that is not named here is atomic: a patch replaces it whole.
 */
export interface ListMerge {
  /** What strategic merge does with the field. `retainKeys` also applies to structs (DeploymentSpec.strategy). */
  readonly strategy?: 'merge' | 'retainKeys' | 'merge,retainKeys';
  /** The field that tells items of a merged list apart; without it the items are plain values. */
  readonly mergeKey?: string;
  /** For server-side apply and OpenAPI; atomic where absent. */
  readonly listType?: 'map' | 'set' | 'atomic';
  readonly mapKeys?: readonly string[];
}

const mapBy = (key: string, ...furtherKeys: string[]): ListMerge => ({
  strategy: 'merge',
  mergeKey: key,
  listType: 'map',
  mapKeys: [key, ...furtherKeys],
});
const retainingMapBy = (key: string): ListMerge => ({ ...mapBy(key), strategy: 'merge,retainKeys' });
const mergedSet: ListMerge = { strategy: 'merge', listType: 'set' };
const set: ListMerge = { listType: 'set' };

const containerLists = {
  ports: mapBy('containerPort', 'protocol'),
  env: mapBy('name'),
  volumeMounts: mapBy('mountPath'),
  volumeDevices: mapBy('devicePath'),
};
const conditions = { conditions: mapBy('type') };

/** By the last part of the definition name, then by field. */
const facts: Readonly<Record<string, Readonly<Record<string, ListMerge>>>> = {
  ObjectMeta: { finalizers: mergedSet, ownerReferences: mapBy('uid') },
  PodSpec: {
    containers: mapBy('name'),
    initContainers: mapBy('name'),
    ephemeralContainers: mapBy('name'),
    volumes: retainingMapBy('name'),
    imagePullSecrets: mapBy('name'),
    hostAliases: mapBy('ip'),
    topologySpreadConstraints: mapBy('topologyKey', 'whenUnsatisfiable'),
    schedulingGates: mapBy('name'),
    resourceClaims: retainingMapBy('name'),
  },
  Container: containerLists,
  EphemeralContainer: containerLists,
  ResourceRequirements: { claims: { listType: 'map', mapKeys: ['name'] } },
  PodStatus: {
    ...conditions,
    podIPs: mapBy('ip'),
    hostIPs: { strategy: 'merge', mergeKey: 'ip', listType: 'atomic' },
    resourceClaimStatuses: retainingMapBy('name'),
  },
  ContainerStatus: { volumeMounts: mapBy('mountPath'), allocatedResourcesStatus: mapBy('name') },
  ResourceStatus: { resources: { listType: 'map', mapKeys: ['resourceID'] } },
  ServiceSpec: { ports: mapBy('port', 'protocol') },
  ServiceStatus: conditions,
  ServiceAccount: { secrets: mapBy('name') },
  CSINodeSpec: { drivers: mapBy('name') },
  CSIDriverSpec: { volumeLifecycleModes: set },
  HorizontalPodAutoscalerStatus: conditions,
  CertificateSigningRequestStatus: { conditions: { listType: 'map', mapKeys: ['type'] } },
  APIServiceStatus: conditions,
  MutatingWebhookConfiguration: { webhooks: mapBy('name') },
  ValidatingWebhookConfiguration: { webhooks: mapBy('name') },
  MutatingWebhook: { matchConditions: mapBy('name') },
  ValidatingWebhook: { matchConditions: mapBy('name') },
  Endpoint: { addresses: set },
  NodeSpec: { podCIDRs: mergedSet },
  NodeStatus: { ...conditions, addresses: mapBy('type') },
  NamespaceStatus: conditions,
  ReplicationControllerStatus: conditions,
  PersistentVolumeClaimStatus: conditions,
  DeploymentSpec: { strategy: { strategy: 'retainKeys' } },
  DeploymentStatus: conditions,
  ReplicaSetStatus: conditions,
  DaemonSetStatus: conditions,
  StatefulSetStatus: conditions,
  JobStatus: { conditions: { strategy: 'merge', mergeKey: 'type', listType: 'atomic' } },
  PodFailurePolicyOnExitCodesRequirement: { values: set },
  ContainerRestartRuleOnExitCodes: { values: set },
  UncountedTerminatedPods: { failed: set, succeeded: set },
  PodDisruptionBudgetStatus: conditions,
  ServiceCIDRStatus: conditions,
};

/** Structs and maps that server-side apply takes as one value. */
const atomicTypes = new Set([
  'ConfigMapKeySelector',
  'FileKeySelector',
  'LabelSelector',
  'LocalObjectReference',
  'NodeSelector',
  'NodeSelectorTerm',
  'ObjectFieldSelector',
  'ObjectReference',
  'OwnerReference',
  'ResourceFieldSelector',
  'RoleRef',
  'ScopeSelector',
  'ScopedResourceSelectorRequirement',
  'SecretKeySelector',
  'SecretReference',
  'Subject',
  'TypedLocalObjectReference',
]);
const atomicMaps = new Set(['ServiceSpec.selector', 'ReplicationControllerSpec.selector', 'PodSpec.nodeSelector']);

const shortName = (definition: string): string => definition.slice(definition.lastIndexOf('.') + 1);

export function listMergeOf(definition: string, field: string): ListMerge | undefined {
  const of = facts[shortName(definition)];
  return of && Object.hasOwn(of, field) ? of[field] : undefined;
}

export const isAtomicType = (definition: string): boolean => atomicTypes.has(shortName(definition));
export const isAtomicMap = (definition: string, field: string): boolean =>
  atomicMaps.has(`${shortName(definition)}.${field}`);

/** What an absent key of a list counts as. */
const keyDefaults: Readonly<Record<string, unknown>> = {
  'ServicePort.protocol': 'TCP',
  'ContainerPort.protocol': 'TCP',
};

export const keyDefault = (definition: string, field: string): unknown =>
  keyDefaults[`${shortName(definition)}.${field}`];

/** Structs the Go types hold by value: always written, empty if need be, so nobody adds or owns one as such. Required fields are, too. */
const alwaysFields = new Set(['metadata', 'spec', 'status', 'template', 'strategy', 'updateStrategy', 'loadBalancer']);
const alwaysWritten = new Set([
  'Container.resources',
  'ContainerStatus.lastState',
  'ContainerStatus.state',
  'Endpoint.conditions',
  'EphemeralContainer.resources',
  'Event.source',
  'EndpointSlice.endpoints',
  'EndpointSlice.ports',
  'IngressServiceBackend.port',
  'NetworkPolicySpec.podSelector',
  'NodeDaemonEndpoints.kubeletEndpoint',
  'NodeStatus.daemonEndpoints',
  'NodeStatus.nodeInfo',
  'PersistentVolumeClaimSpec.resources',
]);
/** Held by a pointer, whatever the name. */
const pointers = new Set(['ReplicationControllerSpec.template']);

export function isAlwaysWritten(definition: string, field: string): boolean {
  const name = `${shortName(definition)}.${field}`;
  return alwaysWritten.has(name) || (alwaysFields.has(field) && !pointers.has(name));
}
