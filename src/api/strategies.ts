/** Which behaviour belongs to which kind. A kind without a line of its own has metadata checks and nothing else. */
import { defineStrategy } from './define-strategy.ts';
import * as K from './kinds.ts';
import * as admission from './strategies/admission.ts';
import { apiServiceStrategy } from './strategies/apiregistration.ts';
import { horizontalPodAutoscalerStrategy } from './strategies/autoscaling.ts';
import { certificateSigningRequestStrategy } from './strategies/certificates.ts';
import * as cluster from './strategies/cluster.ts';
import { customResourceDefinitionStrategy } from './strategies/custom-resource-definition.ts';
import * as networking from './strategies/networking.ts';
import { podStrategy } from './strategies/pod.ts';
import * as scheduling from './strategies/scheduling.ts';
import { serviceStrategy } from './strategies/service.ts';
import * as storage from './strategies/storage.ts';
import * as workloads from './strategies/workloads.ts';
import type { Strategy } from './strategy.ts';
import type { KubeObject } from './types.ts';

/** Ties a strategy to its own kind's objects, then forgets the object type: the table holds all kinds. */
function entry<T extends KubeObject>(kind: K.Kind, strategy: Strategy<T>): [K.Kind, Strategy] {
  return [kind, strategy as unknown as Strategy];
}

const strategies = new Map<K.Kind, Strategy>([
  ...K.KINDS.map((kind): [K.Kind, Strategy] => [kind, defineStrategy(kind)]),
  entry(K.SERVICES, serviceStrategy),
  entry(K.PODS, podStrategy),
  entry(K.DEPLOYMENTS, workloads.deploymentStrategy),
  entry(K.REPLICA_SETS, workloads.replicaSetStrategy),
  entry(K.REPLICATION_CONTROLLERS, workloads.replicationControllerStrategy),
  entry(K.DAEMON_SETS, workloads.daemonSetStrategy),
  entry(K.STATEFUL_SETS, workloads.statefulSetStrategy),
  entry(K.JOBS, workloads.jobStrategy),
  entry(K.CRON_JOBS, workloads.cronJobStrategy),
  entry(K.ENDPOINTS, networking.endpointsStrategy),
  entry(K.ENDPOINT_SLICES, networking.endpointSliceStrategy),
  entry(K.INGRESSES, networking.ingressStrategy),
  entry(K.INGRESS_CLASSES, networking.ingressClassStrategy),
  entry(K.NETWORK_POLICIES, networking.networkPolicyStrategy),
  entry(K.SERVICE_CIDRS, networking.serviceCidrStrategy),
  entry(K.IP_ADDRESSES, networking.ipAddressStrategy),
  entry(K.NAMESPACES, cluster.namespaceStrategy),
  entry(K.NODES, cluster.nodeStrategy),
  entry(K.CONFIG_MAPS, cluster.configMapStrategy),
  entry(K.SECRETS, cluster.secretStrategy),
  entry(K.LEASES, cluster.leaseStrategy),
  entry(K.EVENTS, cluster.eventStrategy),
  entry(K.EVENTS_V1, cluster.eventV1Strategy),
  entry(K.POD_DISRUPTION_BUDGETS, cluster.podDisruptionBudgetStrategy),
  entry(K.LIMIT_RANGES, cluster.limitRangeStrategy),
  entry(K.RESOURCE_QUOTAS, cluster.resourceQuotaStrategy),
  entry(K.ROLES, cluster.roleStrategy),
  entry(K.CLUSTER_ROLES, cluster.clusterRoleStrategy),
  entry(K.ROLE_BINDINGS, cluster.roleBindingStrategy),
  entry(K.CLUSTER_ROLE_BINDINGS, cluster.clusterRoleBindingStrategy),
  entry(K.PERSISTENT_VOLUMES, cluster.persistentVolumeStrategy),
  entry(K.PERSISTENT_VOLUME_CLAIMS, cluster.persistentVolumeClaimStrategy),
  entry(K.CUSTOM_RESOURCE_DEFINITIONS, customResourceDefinitionStrategy),
  entry(K.PRIORITY_CLASSES, scheduling.priorityClassStrategy),
  entry(K.RUNTIME_CLASSES, scheduling.runtimeClassStrategy),
  entry(K.HORIZONTAL_POD_AUTOSCALERS, horizontalPodAutoscalerStrategy),
  entry(K.CERTIFICATE_SIGNING_REQUESTS, certificateSigningRequestStrategy),
  entry(K.STORAGE_CLASSES, storage.storageClassStrategy),
  entry(K.CSI_DRIVERS, storage.csiDriverStrategy),
  entry(K.CSI_NODES, storage.csiNodeStrategy),
  entry(K.CSI_STORAGE_CAPACITIES, storage.csiStorageCapacityStrategy),
  entry(K.VOLUME_ATTACHMENTS, storage.volumeAttachmentStrategy),
  entry(K.VOLUME_ATTRIBUTES_CLASSES, storage.volumeAttributesClassStrategy),
  entry(K.API_SERVICES, apiServiceStrategy),
  entry(K.MUTATING_WEBHOOK_CONFIGURATIONS, admission.mutatingWebhookStrategy),
  entry(K.VALIDATING_WEBHOOK_CONFIGURATIONS, admission.validatingWebhookStrategy),
]);

/** The behaviour of a served kind; every row of KINDS has one. */
export function strategyFor<T extends KubeObject>(kind: K.Kind<T>): Strategy<T> {
  const strategy = kind.custom?.strategy ?? strategies.get(kind);
  if (!strategy) throw new Error(`no strategy for ${kind.kind}: it is not a row of KINDS`);
  return strategy as unknown as Strategy<T>;
}
