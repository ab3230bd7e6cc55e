/**
 * The objects every cluster has: the system namespaces with their default service accounts, the Service `default/kubernetes` with its
 * endpoints, the ServiceCIDR (features 1-098, 1-114 to 1-117, 1-133 to 1-138). Pure: what must be, not how it gets there.
 */
import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  PRIORITY_CLASSES,
  SERVICE_ACCOUNTS,
} from '../api/kinds.ts';
import { SERVICE_CIDRS, SERVICES, type Kind } from '../api/kinds.ts';
import type { ConfigMap, Endpoints, EndpointSlice, KubeObject, Namespace, Service } from '../api/types.ts';
import type { PriorityClass, ServiceAccount, ServiceCIDR } from '../api/types.ts';
import { addressAt, formatCidr, type Cidr } from '../lib/cidr.ts';
import { familyOf, formatIp } from '../lib/ip.ts';
import type { Peer } from './peers.ts';

/** In this order: what a Pod needs is there before the Pod can be. */
export const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

export interface ClusterFacts {
  /** What clients and Pods reach the server by. */
  readonly advertiseAddress: string;
  readonly securePort: number;
  /** The default family's first. */
  readonly serviceRanges: readonly Cidr[];
  /** PEM of the cluster's CA, for the kube-root-ca.crt ConfigMaps. */
  readonly caBundle: string;
}

export interface Wanted<T extends KubeObject = KubeObject> {
  readonly kind: Kind<T>;
  readonly object: T;
  /** Changes a present object where it differs in what matters; undefined: it is as it should be or is left alone. */
  readonly correct?: (present: T) => T | undefined;
}

function wanted<T extends KubeObject>(kind: Kind<T>, object: T, correct?: Wanted<T>['correct']): Wanted {
  return { kind, object, ...(correct && { correct }) } as unknown as Wanted;
}

/** What Pods of the system itself name (their names and values are fixed in Kubernetes). */
const SYSTEM_PRIORITIES: readonly (readonly [name: string, value: number, description: string])[] = [
  [
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ],
  [
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ],
];

/** In the order to create them in. */
export function systemObjects(facts: ClusterFacts): Wanted[] {
  return [
    ...SYSTEM_PRIORITIES.map(([name, value, description]) =>
      wanted<PriorityClass>(PRIORITY_CLASSES, { metadata: { name }, value, description }),
    ),
    ...SYSTEM_NAMESPACES.flatMap((name) => [
      wanted<Namespace>(NAMESPACES, { metadata: { name } }),
      wanted<ServiceAccount>(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } }),
      rootCertificate(facts, name),
    ]),
    serviceCidr(facts),
  ];
}

/** A second range that came with the flags is added; any other difference is left and told (`repair.ts`). */
function serviceCidr({ serviceRanges }: ClusterFacts): Wanted {
  const cidrs = serviceRanges.map(formatCidr);
  const object = { metadata: { name: 'kubernetes' }, spec: { cidrs } };
  return wanted<ServiceCIDR>(SERVICE_CIDRS, object, (present) => {
    const before = present.spec.cidrs ?? [];
    const grows = before.length === 1 && cidrs.length === 2 && before[0] === cidrs[0];
    return grows ? { ...present, spec: { cidrs } } : undefined;
  });
}

function rootCertificate({ caBundle }: ClusterFacts, namespace: string): Wanted {
  const data = { 'ca.crt': caBundle };
  return wanted<ConfigMap>(CONFIG_MAPS, { metadata: { name: 'kube-root-ca.crt', namespace }, data }, (present) =>
    present.data?.['ca.crt'] === caBundle ? undefined : { ...present, data },
  );
}

const identity = { name: 'kubernetes', namespace: 'default' };
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';

/** @param peers the API servers there are, in a fixed order; a server alone is its own only one */
export function kubernetesService({ securePort, serviceRanges }: ClusterFacts, peers: readonly Peer[]): Wanted[] {
  const [range] = serviceRanges;
  const clusterIP = range ? formatIp(addressAt(range, 1n)) : '';
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const service = wanted<Service>(SERVICES, {
    metadata: { ...identity, labels },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: securePort }],
    },
  });
  const reachable = peers.filter(({ address }) => !isLoopback(address));
  // Nobody but this machine could use a loopback address, and endpoints may not hold one: then there are none.
  return reachable.length === 0 ? [service] : [service, ...endpointsOf(reachable)];
}

const portOf = (port: number) => ({ name: 'https', port, protocol: 'TCP' });

function endpointsOf(peers: readonly Peer[]): Wanted[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const subsets = [...new Set(peers.map(({ port }) => port))].map((port) => ({
    addresses: peers.filter((peer) => peer.port === port).map(({ address }) => ({ ip: address })),
    ports: [portOf(port)],
  }));
  const slice = sliceOf(peers, familyOf(peers[0]?.address ?? '') ?? 'IPv4');
  return [
    wanted<Endpoints>(
      ENDPOINTS,
      { metadata: { ...identity, labels: { [SKIP_MIRROR]: 'true' } }, subsets },
      (present) => (same(present.subsets, subsets) ? undefined : { ...present, subsets }),
    ),
    wanted<EndpointSlice>(
      ENDPOINT_SLICES,
      { metadata: { ...identity, labels: { 'kubernetes.io/service-name': 'kubernetes' } }, ...slice },
      (present) => {
        // Its family does not change any more.
        const { endpoints, ports } = sliceOf(peers, present.addressType);
        return same([present.endpoints, present.ports], [endpoints, ports]) || endpoints.length === 0
          ? undefined
          : { ...present, endpoints, ports };
      },
    ),
  ];
}

/** A slice has one family and one list of ports: those of the first peer of the family, whoever writes it. */
function sliceOf(peers: readonly Peer[], addressType: string) {
  const ofFamily = peers.filter(({ address }) => familyOf(address) === addressType);
  const port = ofFamily[0]?.port ?? 0;
  const endpoints = ofFamily
    .filter((peer) => peer.port === port)
    .map(({ address }) => ({ addresses: [address], conditions: { ready: true } }));
  return { addressType, endpoints, ports: [portOf(port)] };
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
