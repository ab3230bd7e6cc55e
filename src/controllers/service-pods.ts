/**
 * Which Pods stand behind a Service, and on which ports: what the Endpoints and the EndpointSlice controller share
 * (features 2-001 to 2-017). Everything but the two finders is pure.
 */
import { PODS, SERVICES } from '../api/kinds.ts';
import { isPodReady, isPodTerminal } from '../api/pods.ts';
import type { Core, KubeObject, Pod, Service } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { familyOf, type Family } from '../lib/ip.ts';
import { index, keyOf, type IndexDefinition, type View } from './loop.ts';
import { isTerminating } from './pod-state.ts';

/** Set on the objects of a Service that has no cluster IP (features 2-018, 2-046). */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';
/** When the change that led to this content happened: RFC 3339 (features 2-024, 2-058). */
export const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
/** On Endpoints that are a lock, not addresses: never cleaned up and never mirrored (features 2-028, 2-073). */
export const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';

/** The indexes both controllers look Pods and Services up by. */
export const servicePodIndexes: readonly IndexDefinition[] = [
  index(PODS, { label: (pod) => Object.entries(pod.metadata.labels ?? {}).map((pair) => labelKey(pod, pair)) }),
  index(SERVICES, {
    // One pair of the selector is enough to find the candidates; `selects` then checks the whole.
    selector: (service) =>
      Object.entries(service.spec.selector ?? {})
        .slice(0, 1)
        .map((pair) => labelKey(service, pair)),
  }),
];

const labelKey = (object: KubeObject, [key, value]: [string, string]) =>
  `${object.metadata.namespace ?? ''}/${key}=${value}`;

/** A Service whose Endpoints and slices are ours to write: it has a selector and is not an alias (2-001, 2-002). */
export function isSelecting(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0;
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None' || (service.spec.clusterIP ?? '') === '';
}

export function selects(service: Service, labels: Record<string, string> | undefined): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => labels?.[key] === value);
}

/** The Pods a Service selects, alive or not: through the smallest index bucket of its selector's pairs. */
export function podsOfService(service: Service, view: Pick<View, 'byIndex'>): Pod[] {
  let smallest: Pod[] | undefined;
  for (const pair of Object.entries(service.spec.selector ?? {})) {
    const bucket = view.byIndex(PODS, 'label', labelKey(service, pair));
    if (!smallest || bucket.length < smallest.length) smallest = bucket;
  }
  return (smallest ?? []).filter((pod) => selects(service, pod.metadata.labels));
}

function servicesOfPod(pod: Pod, view: Pick<View, 'byIndex'>): Service[] {
  return Object.entries(pod.metadata.labels ?? {})
    .flatMap((pair) => view.byIndex(SERVICES, 'selector', labelKey(pod, pair)))
    .filter((service) => selects(service, pod.metadata.labels));
}

/** Keys of the Services whose endpoints a Pod's change may alter: those that match it now or did before (2-008, 2-009). */
export function serviceKeysOfPodChange(change: Change<Pod>, view: Pick<View, 'byIndex'>): string[] {
  if (change.type !== 'updated') return servicesOfPod(change.object, view).map(keyOf);
  const { object, old } = change;
  if (endpointFacts(object) === endpointFacts(old)) return [];
  return [...new Set([...servicesOfPod(old, view), ...servicesOfPod(object, view)].map(keyOf))];
}

/** Everything of a Pod that an endpoint is made of, as text to compare. */
function endpointFacts(pod: Pod): string {
  const { metadata, spec, status } = pod;
  return JSON.stringify([
    metadata.uid,
    metadata.labels,
    metadata.deletionTimestamp !== undefined,
    spec.hostname,
    spec.subdomain,
    spec.nodeName,
    status?.podIP,
    status?.podIPs,
    isPodReady(pod),
    isPodTerminal(pod),
  ]);
}

/** The Pod's address of a family, or its first address where the Service names no family (2-019, 2-048). */
export function podAddress(pod: Pod, family: Family | undefined): string | undefined {
  const addresses = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
  const all = addresses.length > 0 ? addresses : [pod.status?.podIP];
  return all.find((ip) => ip !== undefined && ip !== '' && (family === undefined || familyOf(ip) === family));
}

/**
 * The Pods that have a place among the endpoints: not over, with an address (2-003, 2-004). Where two Pods that are not on the
 * host's network carry the same address, the runtime has given a dead Pod's address to a new one before the old object was
 * gone; only the newest may have it, or traffic for the old Pod's Service would reach a stranger (trap F24).
 */
export function endpointPods(pods: readonly Pod[]): Pod[] {
  const candidates = pods.filter((pod) => !isPodTerminal(pod) && podAddress(pod, undefined) !== undefined);
  const newest = new Map<string, Pod>();
  for (const pod of candidates) {
    if (pod.spec.hostNetwork) continue;
    const address = podAddress(pod, undefined) ?? '';
    const other = newest.get(address);
    if (!other || isNewer(pod, other)) newest.set(address, pod);
  }
  return candidates.filter((pod) => pod.spec.hostNetwork || newest.get(podAddress(pod, undefined) ?? '') === pod);
}

function isNewer(pod: Pod, other: Pod): boolean {
  if (isTerminating(pod) !== isTerminating(other)) return isTerminating(other);
  return (pod.metadata.creationTimestamp ?? '') > (other.metadata.creationTimestamp ?? '');
}

/** The hostname DNS may publish: only if the Pod asks for this very Service as its subdomain (2-020). */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const { hostname = '', subdomain } = pod.spec;
  return hostname !== '' && subdomain === service.metadata.name ? hostname : undefined;
}

export const podReference = (pod: Pod): Core.ObjectReference => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  ...(pod.metadata.uid !== undefined && { uid: pod.metadata.uid }),
});

/** A port as endpoints carry it; `name` is '' for an unnamed Service port (2-017). */
export interface ResolvedPort {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

/** A Service's ports on one Pod. A named target the Pod does not have is left out (2-012 to 2-014). */
export function resolvePorts(service: Service, pod: Pod): ResolvedPort[] {
  return (service.spec.ports ?? []).flatMap((servicePort) => {
    const port = findPort(servicePort, pod);
    if (port === undefined) return [];
    return {
      name: servicePort.name ?? '',
      port,
      protocol: servicePort.protocol ?? 'TCP',
      ...(servicePort.appProtocol !== undefined && { appProtocol: servicePort.appProtocol }),
    };
  });
}

function findPort(servicePort: Core.ServicePort, pod: Pod): number | undefined {
  const target = servicePort.targetPort ?? servicePort.port;
  if (typeof target === 'number') return target === 0 ? servicePort.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const { name, containerPort, protocol = 'TCP' } of container.ports ?? []) {
      if (name === target && protocol === (servicePort.protocol ?? 'TCP')) return containerPort;
    }
  }
  return undefined;
}

/** Labels of a Service that its Endpoints or slices carry on, without those the controllers own. */
export function inheritedLabels(service: Service, reserved: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.metadata.labels ?? {}).filter(([key]) => key !== HEADLESS_LABEL && !reserved.includes(key)),
  );
}
