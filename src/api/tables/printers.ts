/** Which printer belongs to which kind; a kind without one shows its name and when it was made (feature 8-024). */
import * as K from '../kinds.ts';
import * as admission from './admission.ts';
import { apiServicePrinter } from './apiregistration.ts';
import { horizontalPodAutoscalerPrinter } from './autoscaling.ts';
import { certificateSigningRequestPrinter } from './certificates.ts';
import * as cluster from './cluster.ts';
import * as networking from './networking.ts';
import { podPrinter } from './pods.ts';
import { definePrinter, type Printer } from './printer.ts';
import * as scheduling from './scheduling.ts';
import * as storage from './storage.ts';
import * as workloads from './workloads.ts';

const plain = definePrinter([['Created At', 'date', (object) => object.metadata.creationTimestamp ?? null]]);

const printers = new Map<K.Kind, Printer>([
  [K.PODS, podPrinter],
  [K.SERVICES, networking.servicePrinter],
  [K.ENDPOINTS, networking.endpointsPrinter],
  [K.ENDPOINT_SLICES, networking.endpointSlicePrinter],
  [K.INGRESSES, networking.ingressPrinter],
  [K.INGRESS_CLASSES, networking.ingressClassPrinter],
  [K.SERVICE_CIDRS, networking.serviceCidrPrinter],
  [K.IP_ADDRESSES, networking.ipAddressPrinter],
  [K.NETWORK_POLICIES, networking.networkPolicyPrinter],
  [K.DEPLOYMENTS, workloads.deploymentPrinter],
  [K.REPLICA_SETS, workloads.replicaSetPrinter],
  [K.REPLICATION_CONTROLLERS, workloads.replicationControllerPrinter],
  [K.STATEFUL_SETS, workloads.statefulSetPrinter],
  [K.DAEMON_SETS, workloads.daemonSetPrinter],
  [K.JOBS, workloads.jobPrinter],
  [K.CRON_JOBS, workloads.cronJobPrinter],
  [K.CONTROLLER_REVISIONS, workloads.controllerRevisionPrinter],
  [K.POD_DISRUPTION_BUDGETS, workloads.podDisruptionBudgetPrinter],
  [K.NODES, cluster.nodePrinter],
  [K.NAMESPACES, cluster.namespacePrinter],
  [K.EVENTS, cluster.eventPrinter],
  [K.CONFIG_MAPS, cluster.configMapPrinter],
  [K.SECRETS, cluster.secretPrinter],
  [K.SERVICE_ACCOUNTS, cluster.agePrinter],
  [K.LEASES, cluster.leasePrinter],
  [K.ROLE_BINDINGS, cluster.bindingPrinter],
  [K.CLUSTER_ROLE_BINDINGS, cluster.bindingPrinter],
  [K.PERSISTENT_VOLUMES, cluster.persistentVolumePrinter],
  [K.PERSISTENT_VOLUME_CLAIMS, cluster.persistentVolumeClaimPrinter],
  [K.POD_TEMPLATES, cluster.podTemplatePrinter],
  [K.RESOURCE_QUOTAS, cluster.resourceQuotaPrinter],
  [K.PRIORITY_CLASSES, scheduling.priorityClassPrinter],
  [K.RUNTIME_CLASSES, scheduling.runtimeClassPrinter],
  [K.HORIZONTAL_POD_AUTOSCALERS, horizontalPodAutoscalerPrinter],
  [K.CERTIFICATE_SIGNING_REQUESTS, certificateSigningRequestPrinter],
  [K.STORAGE_CLASSES, storage.storageClassPrinter],
  [K.CSI_DRIVERS, storage.csiDriverPrinter],
  [K.CSI_NODES, storage.csiNodePrinter],
  [K.CSI_STORAGE_CAPACITIES, storage.csiStorageCapacityPrinter],
  [K.VOLUME_ATTACHMENTS, storage.volumeAttachmentPrinter],
  [K.VOLUME_ATTRIBUTES_CLASSES, storage.volumeAttributesClassPrinter],
  [K.API_SERVICES, apiServicePrinter],
  [K.MUTATING_WEBHOOK_CONFIGURATIONS, admission.webhookPrinter],
  [K.VALIDATING_WEBHOOK_CONFIGURATIONS, admission.webhookPrinter],
]);

export function printerFor(kind: K.Kind): Printer {
  return kind.custom?.printer ?? printers.get(kind) ?? plain;
}
