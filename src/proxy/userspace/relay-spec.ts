/** Which relays a Service port needs. What is dialled is a matter of the relay alone, so rules do not change with endpoints. */
import type { Endpoint, ServicePort, TrafficPolicy } from '../plan/types.ts';

/**
 * One listening socket (3-131). A Service port has one, or two where its internal and external policies draw from different pools:
 * which of them a client may use is told by its address and interface, which are the rules' to see.
 */
export interface RelaySpec {
  /** Unique, and the same as long as the Service port exists. */
  readonly key: string;
  readonly service: ServicePort;
  readonly pool: TrafficPolicy;
  readonly endpoints: readonly Endpoint[];
}

export function relaysOf(service: ServicePort): readonly RelaySpec[] {
  const { internalPolicy, externalPolicy, external, protocol, clusterEndpoints, localEndpoints } = service;
  // no sockets for it: the Plan has left such ports out where connections end in a relay
  if (protocol === 'SCTP') return [];
  const pools: RelaySpec[] = [];
  if (internalPolicy === 'Cluster' || external) {
    pools.push({ key: relayKey(service, 'Cluster'), service, pool: 'Cluster', endpoints: clusterEndpoints });
  }
  if (internalPolicy === 'Local' || externalPolicy === 'Local') {
    pools.push({ key: relayKey(service, 'Local'), service, pool: 'Local', endpoints: localEndpoints });
  }
  return pools;
}

/** The comment of the rules that lead there. */
export const relayLabel = ({ name }: Pick<ServicePort, 'name'>, pool: TrafficPolicy): string =>
  pool === 'Local' ? `${name} local endpoints` : name;

/** As `keyOfRule` reads it out of a rule. */
export const relayKey = (service: Pick<ServicePort, 'name' | 'protocol'>, pool: TrafficPolicy): string =>
  `${relayLabel(service, pool)} ${service.protocol}`;
