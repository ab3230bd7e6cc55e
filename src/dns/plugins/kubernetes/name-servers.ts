/** Who answers for the zone (feature 4-026): the Services in front of this server. Pure. */
import { clusterIpsOf } from './cluster-view.ts';
import type { Lookup } from './lookup.ts';
import { endpointsAt } from './reverse-records.ts';
import { nameOfEndpoint, nameOfService } from './service-records.ts';
import { below, type Zone } from './zones.ts';

export interface NameServer {
  readonly name: string;
  /** Canonical. */
  readonly address: string;
}

/** The name that a zone's SOA gives, and NS where no Service is known to lead here. */
export const defaultNameServer = (zone: Pick<Zone, 'name'>): string => below('ns.dns', zone);

/**
 * Services that have one of this server's addresses among their endpoints. Where there are none, `ns.dns.<zone>` at the Service `kube-dns`,
 * or at this server's own addresses.
 */
export function nameServers({ view, rules }: Lookup): NameServer[] {
  const { primary } = rules.zones;
  const behind = rules.ownAddresses.flatMap((address) => endpointsAt(view, address, rules.endpointPodNames));
  const servers = behind.flatMap(({ service, endpoint }): NameServer[] =>
    service.kind === 'headless'
      ? [{ name: nameOfEndpoint(endpoint, service, primary), address: endpoint.address }]
      : service.addresses.map((address) => ({ name: nameOfService(service, primary), address })),
  );
  if (servers.length > 0) return [...new Map(servers.map((each) => [`${each.name} ${each.address}`, each])).values()];
  const dns = view.service('kube-system', 'kube-dns');
  const addresses = dns ? clusterIpsOf(dns) : [];
  return (addresses.length > 0 ? addresses : rules.ownAddresses).map((address) => ({
    name: defaultNameServer(primary),
    address,
  }));
}
