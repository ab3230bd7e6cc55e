/** What the slices of a Service should hold: its endpoints, grouped by address family and resolved ports (features 2-046 to 2-052, 2-066). Pure. */
import { isPodReady } from '../api/pods.ts';
import type { Node, Pod, Service } from '../api/types.ts';
import type { Family } from '../lib/ip.ts';
import type { Endpoint, SliceGroup } from './slice-plan.ts';
import { isTerminating } from './pod-state.ts';
import { endpointHostname, endpointPods, podAddress, podReference, resolvePorts } from './service-pods.ts';

export const ZONE_LABEL = 'topology.kubernetes.io/zone';
const AUTO_KEYS = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];

export interface DesiredSlices {
  readonly groups: SliceGroup[];
  /** Pods left out because their Node object is not there (yet): to be looked at again (2-052). */
  readonly missingNodes: string[];
}

/** The families a Service has slices for; one without a family (headless, from an old client) follows its cluster IP's default. */
export function familiesOf(service: Service): Family[] {
  const families = (service.spec.ipFamilies ?? []).filter((family) => family === 'IPv4' || family === 'IPv6');
  return families.length > 0 ? families : ['IPv4'];
}

export function desiredSlices(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): DesiredSlices {
  const groups = new Map<string, SliceGroup>();
  const missingNodes = new Set<string>();
  const hints = hintsFor(service);
  for (const pod of endpointPods(pods)) {
    const node = pod.spec.nodeName === undefined ? undefined : nodeOf(pod.spec.nodeName);
    if (!node && !service.spec.publishNotReadyAddresses) {
      missingNodes.add(pod.spec.nodeName ?? '');
      continue;
    }
    for (const family of familiesOf(service)) {
      const address = podAddress(pod, family);
      if (address === undefined) continue;
      const ports = resolvePorts(service, pod);
      const key = JSON.stringify([family, ports]);
      const group = groups.get(key) ?? { addressType: family, ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(withHints(podEndpoint(service, pod, node, address), hints));
    }
  }
  return { groups: [...groups.values()], missingNodes: [...missingNodes] };
}

function podEndpoint(service: Service, pod: Pod, node: Node | undefined, address: string): Endpoint {
  const serving = isPodReady(pod);
  const terminating = isTerminating(pod);
  const ready = (service.spec.publishNotReadyAddresses ?? false) || (serving && !terminating);
  const hostname = endpointHostname(pod, service);
  const zone = node?.metadata.labels?.[ZONE_LABEL];
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    targetRef: podReference(pod),
    ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
    ...(zone !== undefined && zone !== '' && { zone }),
  };
}

/** Which hints a Service asks for. The Auto annotation takes precedence over trafficDistribution (2-066 to 2-069). */
export function hintsFor(service: Service): 'none' | 'zone' | 'node' {
  const annotation = AUTO_KEYS.map((key) => service.metadata.annotations?.[key]).find((value) => value !== undefined);
  if (annotation === 'Auto' || annotation === 'auto') return 'none';
  switch (service.spec.trafficDistribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return 'zone';
    case 'PreferSameNode':
      return 'node';
    default:
      return 'none';
  }
}

function withHints(endpoint: Endpoint, hints: 'none' | 'zone' | 'node'): Endpoint {
  if (hints === 'none' || !endpoint.conditions?.ready) return endpoint;
  const forZones = endpoint.zone === undefined ? undefined : [{ name: endpoint.zone }];
  const forNodes = hints === 'node' && endpoint.nodeName !== undefined ? [{ name: endpoint.nodeName }] : undefined;
  if (!forZones && !forNodes) return endpoint;
  return { ...endpoint, hints: { ...(forZones && { forZones }), ...(forNodes && { forNodes }) } };
}
