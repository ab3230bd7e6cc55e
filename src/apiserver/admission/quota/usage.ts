/** What one object counts for in a quota: resource name -> quantity. Pure. */
import { PERSISTENT_VOLUME_CLAIMS, PODS, resourceNameOf, SERVICES, type Kind } from '../../../api/kinds.ts';
import { podResources, type ResourceList } from '../../../api/pod-resources.ts';
import { isPodTerminal } from '../../../api/pods.ts';
import type { KubeObject, PersistentVolumeClaim, Pod, Service } from '../../../api/types.ts';

/** Core kinds that are also counted by their bare name. */
const BY_NAME = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];
const STORAGE_CLASS = '.storageclass.storage.k8s.io/';

/** `now` in milliseconds since the epoch. */
export function usageOf(kind: Kind, object: KubeObject, now: number): ResourceList {
  const usage: Record<string, string> = { [`count/${resourceNameOf(kind)}`]: '1' };
  if (kind.group === '' && BY_NAME.includes(kind.plural)) usage[kind.plural] = '1';
  if (kind === SERVICES) return { ...usage, ...serviceUsage(object as Service) };
  if (kind === PODS) return { ...usage, ...podUsage(object as Pod, now) };
  if (kind === PERSISTENT_VOLUME_CLAIMS) return { ...usage, ...claimUsage(object as PersistentVolumeClaim) };
  return usage;
}

/** Where a load balancer gets no node ports by itself, only those it names count. */
function serviceUsage({ spec }: Service): ResourceList {
  const ports = spec.ports ?? [];
  if (spec.type === 'NodePort') return { 'services.nodeports': String(ports.length) };
  if (spec.type !== 'LoadBalancer') return {};
  const named = ports.filter(({ nodePort }) => nodePort).length;
  const count = spec.allocateLoadBalancerNodePorts === false ? named : ports.length;
  return { 'services.nodeports': String(count), 'services.loadbalancers': '1' };
}

/** Pods that have ended, or should have by now, hold nothing but their place among the objects. */
function podUsage(pod: Pod, now: number): ResourceList {
  const { deletionTimestamp } = pod.metadata;
  if (isPodTerminal(pod) || (deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < now)) return {};
  const usage: Record<string, string> = { pods: '1' };
  for (const [name, quantity] of Object.entries(podResources(pod.spec, 'requests'))) {
    usage[`requests.${name}`] = quantity;
    if (isNative(name)) usage[name] = quantity;
  }
  for (const [name, quantity] of Object.entries(podResources(pod.spec, 'limits'))) {
    if (isNative(name)) usage[`limits.${name}`] = quantity;
  }
  return usage;
}

const isNative = (name: string) =>
  ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-');

function claimUsage({ spec, metadata }: PersistentVolumeClaim): ResourceList {
  const storage = spec?.resources?.requests?.['storage'];
  const usage: Record<string, string> = {};
  if (storage !== undefined) usage['requests.storage'] = storage;
  const className = metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName;
  if (className) {
    usage[`${className}${STORAGE_CLASS}persistentvolumeclaims`] = '1';
    if (storage !== undefined) usage[`${className}${STORAGE_CLASS}requests.storage`] = storage;
  }
  return usage;
}
