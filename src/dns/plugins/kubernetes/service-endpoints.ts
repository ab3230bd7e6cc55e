/** The endpoints of a Service as DNS shows them: ready ones, each with a hostname. Pure. */
import { isIPv4 } from 'node:net';
import type { EndpointSlice } from '../../../api/types.ts';
import { formatIp, parseIp, type Family } from '../../../lib/ip.ts';

export interface NamedEndpoint {
  /** Lower case. */
  readonly hostname: string;
  /** Canonical. */
  readonly address: string;
  readonly family: Family;
  readonly ports: readonly NamedPort[];
  /** Topology zone, lower case. */
  readonly zone?: string;
  /** Zones whose clients it is meant for, lower case; absent where nobody said. */
  readonly forZones?: readonly string[];
  /** Of a clusterset: the cluster it is in. */
  readonly cluster?: string;
}

export interface NamedPort {
  readonly name: string;
  /** Lower case. */
  readonly protocol: string;
  readonly port: number;
}

type Endpoint = EndpointSlice['endpoints'][number];

export const CLUSTER_LABEL = 'multicluster.kubernetes.io/source-cluster';

/** Some servers write `null` for none. */
export const endpointsOf = (slice: EndpointSlice): readonly Endpoint[] =>
  (slice.endpoints as readonly Endpoint[] | null) ?? [];

/** An absent condition means ready. */
export const isReady = ({ conditions }: Endpoint): boolean => conditions?.ready !== false;

/**
 * Ready endpoints. `publishNotReadyAddresses` is in the condition already: the EndpointSlice controller sets it for such Services
 * (feature 4-017).
 * @param podNames whether a Pod's name serves as hostname (feature 4-035)
 */
export function readyEndpoints(slices: readonly EndpointSlice[], podNames = false): NamedEndpoint[] {
  return slices.flatMap((slice) => (isLarge(slice) ? namesOf(slice, podNames).all : readSlice(slice, podNames)));
}

/** Those of `readyEndpoints` with this hostname, or this address: of a large Service found without going through all of them. */
export function endpointsCalled(
  slices: readonly EndpointSlice[],
  by: 'hostname' | 'address',
  name: string,
  podNames: boolean,
): NamedEndpoint[] {
  return slices.flatMap((slice) =>
    isLarge(slice)
      ? (namesOf(slice, podNames)[by].get(name) ?? [])
      : readSlice(slice, podNames).filter((endpoint) => endpoint[by] === name),
  );
}

/** Smaller ones are read anew each time: that is no slower, and takes no memory. */
const isLarge = (slice: EndpointSlice): boolean => endpointsOf(slice).length > 8;

interface SliceNames {
  readonly all: readonly NamedEndpoint[];
  readonly hostname: ReadonlyMap<string, readonly NamedEndpoint[]>;
  readonly address: ReadonlyMap<string, readonly NamedEndpoint[]>;
}

const kept = { withPods: new WeakMap<EndpointSlice, SliceNames>(), without: new WeakMap<EndpointSlice, SliceNames>() };

/** Of a slice that changes there is another object: what was made of this one stays true. */
function namesOf(slice: EndpointSlice, podNames: boolean): SliceNames {
  const known = podNames ? kept.withPods : kept.without;
  const found = known.get(slice);
  if (found) return found;
  const all = readSlice(slice, podNames);
  const made = {
    all,
    hostname: Map.groupBy(all, ({ hostname }) => hostname),
    address: Map.groupBy(all, ({ address }) => address),
  };
  known.set(slice, made);
  return made;
}

function readSlice(slice: EndpointSlice, podNames: boolean): NamedEndpoint[] {
  const ports = (slice.ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined ? [] : [{ name: name ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port }],
  );
  const cluster = slice.metadata.labels?.[CLUSTER_LABEL]?.toLowerCase();
  return endpointsOf(slice)
    .filter(isReady)
    .flatMap((endpoint) => namedEndpoints(endpoint, ports, podNames, cluster));
}

function namedEndpoints(
  endpoint: Endpoint,
  ports: readonly NamedPort[],
  podNames: boolean,
  cluster: string | undefined,
): NamedEndpoint[] {
  const forZones = endpoint.hints?.forZones?.map(({ name }) => name.toLowerCase());
  const shared = {
    ports,
    ...(endpoint.zone !== undefined && { zone: endpoint.zone.toLowerCase() }),
    ...(forZones && forZones.length > 0 && { forZones }),
    ...(cluster !== undefined && { cluster }),
  };
  return endpoint.addresses.flatMap((text): NamedEndpoint[] => {
    const address = canonicalAddress(text);
    if (address === undefined) return [];
    const hostname = hostnameOf(endpoint, address, podNames);
    return [{ hostname, address, family: address.includes(':') ? 'IPv6' : 'IPv4', ...shared }];
  });
}

/** Lower case (features 4-013 and 4-035). @param address canonical */
export function hostnameOf({ hostname, targetRef }: Endpoint, address: string, podNames: boolean): string {
  if (hostname) return hostname.toLowerCase();
  const pod = podNames && (targetRef?.kind ?? 'Pod') === 'Pod' ? (targetRef?.name ?? '') : '';
  // A Pod's name may be longer than a label, and have dots.
  return pod !== '' && pod.length <= 63 && !pod.includes('.') ? pod.toLowerCase() : dashedAddress(address);
}

/** How an endpoint without a hostname is called: its address with dashes (feature 4-013). */
export function dashedAddress(address: string): string {
  const dashed = address.replaceAll(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}

/** Undefined where it is no address. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const ip = parseIp(text);
  return ip && formatIp(ip);
}

/**
 * Those for a client of that topology zone: meant for it by their hints, where all have hints (as kube-proxy takes them), or else in it. All
 * where there are none, so that a name never vanishes.
 * @param zone lower case
 */
export function nearest(endpoints: readonly NamedEndpoint[], zone: string): readonly NamedEndpoint[] {
  const hinted = endpoints.every(({ forZones }) => forZones !== undefined);
  const meant = hinted ? endpoints.filter(({ forZones }) => forZones?.includes(zone)) : [];
  if (meant.length > 0) return meant;
  const inside = endpoints.filter((endpoint) => endpoint.zone === zone);
  return inside.length > 0 ? inside : endpoints;
}

/** False: `nearest` gives the same for every zone. */
export function differByZone(endpoints: readonly NamedEndpoint[]): boolean {
  return endpoints.some(({ zone, forZones }) => forZones !== undefined || zone !== endpoints[0]?.zone);
}
