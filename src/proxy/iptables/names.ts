/** Names of chains: what people grep for (3-047..3-049). */
import { sha256Base32 } from '../../lib/hash.ts';
import type { Endpoint, ServicePort } from '../plan/types.ts';

export const SERVICES = 'KUBE-SERVICES';
export const EXTERNAL_SERVICES = 'KUBE-EXTERNAL-SERVICES';
export const NODE_PORTS = 'KUBE-NODEPORTS';
export const POSTROUTING = 'KUBE-POSTROUTING';
export const MARK_MASQ = 'KUBE-MARK-MASQ';
export const FORWARD = 'KUBE-FORWARD';
export const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL';
export const FIREWALL = 'KUBE-FIREWALL';
export const CANARY = 'KUBE-PROXY-CANARY';

export type Role = 'SVC' | 'SVL' | 'EXT' | 'FW';

/** `KUBE-SVC-…` Cluster pool, `SVL` Local pool, `EXT` from beyond the cluster IP, `FW` load balancer source ranges. */
export function serviceChain(role: Role, service: Pick<ServicePort, 'name' | 'protocol'>): string {
  return serviceChains(service)[role];
}

/** All of them, of one ServicePort. */
export function serviceChains(service: Pick<ServicePort, 'name' | 'protocol'>): Readonly<Record<Role, string>> {
  const hash = sha256Base32(service.name + service.protocol.toLowerCase(), 16);
  return { SVC: `KUBE-SVC-${hash}`, SVL: `KUBE-SVL-${hash}`, EXT: `KUBE-EXT-${hash}`, FW: `KUBE-FW-${hash}` };
}

/** `KUBE-SEP-…`: one endpoint of one service port. */
export function endpointChain(
  service: Pick<ServicePort, 'name' | 'protocol'>,
  endpoint: Pick<Endpoint, 'address'>,
): string {
  return `KUBE-SEP-${sha256Base32(service.name + service.protocol.toLowerCase() + endpoint.address, 16)}`;
}

const PER_SERVICE = /^KUBE-(?:SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}$/;
const TOP_LEVEL: Readonly<Record<string, readonly string[]>> = {
  filter: [SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, FIREWALL, CANARY],
  nat: [SERVICES, NODE_PORTS, POSTROUTING, MARK_MASQ, CANARY],
  mangle: [CANARY],
};

/** Ours to write: fixed chains of these tables, and per-service chains of nat. KUBE-FIREWALL is shared with the kubelet, never deleted. */
export function isOurChain(table: string, chain: string): boolean {
  return (TOP_LEVEL[table]?.includes(chain) ?? false) || (table === 'nat' && PER_SERVICE.test(chain));
}
