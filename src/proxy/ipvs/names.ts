/** Names of chains in ipvs mode (3-117..3-120). All are fixed: what varies is in ipsets. */
export const SERVICES = 'KUBE-SERVICES';
export const NODE_PORT = 'KUBE-NODE-PORT';
export const LOAD_BALANCER = 'KUBE-LOAD-BALANCER';
export const MARK_MASQ = 'KUBE-MARK-MASQ';
export const POSTROUTING = 'KUBE-POSTROUTING';
export const FORWARD = 'KUBE-FORWARD';
export const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL';
export const SOURCE_RANGES = 'KUBE-SOURCE-RANGES-FIREWALL';
export const IPVS_FILTER = 'KUBE-IPVS-FILTER';
export const IPVS_OUT_FILTER = 'KUBE-IPVS-OUT-FILTER';
export const CANARY = 'KUBE-PROXY-CANARY';
/** Not kube-proxy's: external addresses under policy Local, as Pods and the node see them. */
export const EXTERNAL_LOCAL = 'KUBE-EXTERNAL-LOCAL';
/** Not kube-proxy's: cluster IPs that no Service has. */
export const CLUSTER_IPS = 'KUBE-CLUSTER-IPS';

const CHAINS: Readonly<Record<string, readonly string[]>> = {
  mangle: [EXTERNAL_LOCAL, PROXY_FIREWALL, SOURCE_RANGES, CANARY],
  filter: [FORWARD, NODE_PORT, PROXY_FIREWALL, SOURCE_RANGES, IPVS_FILTER, IPVS_OUT_FILTER, CLUSTER_IPS, CANARY],
  nat: [SERVICES, NODE_PORT, LOAD_BALANCER, MARK_MASQ, POSTROUTING, CANARY],
};

/** Written by ipvs mode. Some are iptables mode's as well. */
export function isIpvsChain(table: string, chain: string): boolean {
  return CHAINS[table]?.includes(chain) ?? false;
}
