/** What the Service kube-dns, its endpoints and its Corefile are to be. Pure. */
import type { ConfigMap, Endpoints, Node, Service } from '../api/types.ts';
import { familyOf, type Family } from '../lib/ip.ts';
import { sameSubsets } from './endpoint-subsets.ts';
import { sortByIp } from './ip-order.ts';
import type { ResolvedPort } from './service-pods.ts';
import type { Endpoint } from './slice-plan.ts';

export const NAMESPACE = 'kube-system';
export const NAME = 'kube-dns';
/** The name CoreDNS' own has: where people look for it. */
export const COREFILE_MAP = 'coredns';

export const LABELS = {
  'k8s-app': 'kube-dns',
  'kubernetes.io/cluster-service': 'true',
  'kubernetes.io/name': 'CoreDNS',
};
export const PORTS: ResolvedPort[] = [
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  { name: 'metrics', port: 9153, protocol: 'TCP' },
];
/** By these a Prometheus finds what to scrape. */
const ANNOTATIONS = { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' };

export interface ClusterDns {
  /** One of each family: the addresses the kubelets put into resolv.conf, the tenth of each range. */
  readonly clusterIPs: readonly string[];
  /** What the ConfigMap says where nobody has written one. */
  readonly corefile: string;
}

/** As whom the controllers own what they write. */
const OWN_MANAGER = 'kube-controller-manager';

/** Somebody has put a DNS of their own behind the name: theirs is left alone. */
export function isForeign(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0 || service.spec.type === 'ExternalName';
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const POLICY = 'internalTrafficPolicy';

/**
 * A Service that has just become somebody else's by a manifest that says nothing of the policy still has the one that suits a DNS on every Node:
 * Nodes without one of the new Pods would have none.
 */
export function keepsOurPolicy({ metadata, spec }: Service): boolean {
  if (spec.internalTrafficPolicy !== 'Local') return false;
  const isTheirs = (metadata.managedFields ?? []).some(
    ({ manager, fieldsV1 }) => manager !== OWN_MANAGER && JSON.stringify(fieldsV1 ?? {}).includes(`"f:${POLICY}"`),
  );
  return !isTheirs && !(metadata.annotations?.[LAST_APPLIED] ?? '').includes(`"${POLICY}"`);
}

/**
 * The Service to write, or undefined where `current` is right. Its address cannot be changed later, so it is only set at first; one of a
 * second family is added when the cluster has come to one.
 */
export function planDnsService(current: Service | undefined, clusterIPs: readonly string[]): Service | undefined {
  const ports = PORTS.map(({ name, port, protocol }) => ({ name, port, protocol, targetPort: port }));
  if (!current) {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME, namespace: NAMESPACE, labels: LABELS, annotations: ANNOTATIONS },
      spec: { ...addresses(clusterIPs), ports, internalTrafficPolicy: 'Local' },
    };
  }
  const { metadata, spec } = current;
  const grows = spec.clusterIPs?.length === 1 && clusterIPs.length > 1;
  const right =
    PORTS.every((port) =>
      spec.ports?.some((own) => own.name === port.name && own.port === port.port && own.protocol === port.protocol),
    ) &&
    spec.internalTrafficPolicy === 'Local' &&
    Object.entries(LABELS).every(([key, value]) => metadata.labels?.[key] === value);
  if (right && !grows) return undefined;
  return {
    ...current,
    metadata: { ...metadata, labels: { ...metadata.labels, ...LABELS } },
    spec: {
      ...spec,
      ...(grows && addresses([spec.clusterIP ?? '', ...clusterIPs.slice(1)])),
      ports,
      internalTrafficPolicy: 'Local',
    },
  };
}

function addresses(clusterIPs: readonly string[]) {
  const [clusterIP = ''] = clusterIPs;
  if (clusterIPs.length === 1) return { clusterIP };
  const ipFamilies = clusterIPs.map((ip) => familyOf(ip) ?? 'IPv4');
  return { clusterIP, clusterIPs: [...clusterIPs], ipFamilies, ipFamilyPolicy: 'PreferDualStack' };
}

/** The ConfigMap where there is none. What people wrote into it is theirs. */
export function defaultCorefileMap(corefile: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: COREFILE_MAP, namespace: NAMESPACE },
    data: { Corefile: corefile },
  };
}

/**
 * One endpoint per Node, at its own address of that family: also of one that is not Ready. Nobody but its own Pods asks it, and they have nobody
 * else; a Node that cannot reach the API server for a while still answers.
 */
export function nodeEndpoints(nodes: readonly Node[], family: Family = 'IPv4'): Endpoint[] {
  const endpoints = nodes.flatMap((node): Endpoint[] => {
    const address = nodeAddress(node, family);
    if (address === undefined) return [];
    const { name, uid } = node.metadata;
    return [
      {
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: name,
        targetRef: { kind: 'Node', name, ...(uid !== undefined && { uid }) },
      },
    ];
  });
  return sortByIp(endpoints, ({ addresses }) => addresses[0] ?? '');
}

const nodeAddress = (node: Node, family: Family) =>
  node.status?.addresses?.find(({ type, address }) => type === 'InternalIP' && familyOf(address) === family)?.address;

export const familiesOf = ({ spec }: Service) => (spec.ipFamilies ?? ['IPv4']) as readonly Family[];

/** The Endpoints object beside the slices, for older tools; undefined where `current` is right. Never mirrored back into slices. */
export function planDnsEndpoints(
  current: Endpoints | undefined,
  endpoints: readonly Endpoint[],
): Endpoints | undefined {
  const all = endpoints.map(({ addresses: [ip = ''], nodeName, targetRef }) => ({
    ip,
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef && { targetRef }),
  }));
  const subsets = all.length === 0 ? [] : [{ addresses: all, ports: PORTS }];
  const labels = { ...LABELS, 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const skips = current?.metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] === 'true';
  if (skips && sameSubsets(current.subsets, subsets)) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...(current?.metadata ?? { name: NAME, namespace: NAMESPACE }), labels },
    ...(subsets.length > 0 && { subsets }),
  };
}
