/** Names of chains, and the comments people know (3-128). */
export const PORTALS_CONTAINER = 'KUBE-PORTALS-CONTAINER';
export const PORTALS_HOST = 'KUBE-PORTALS-HOST';
export const NODEPORT_CONTAINER = 'KUBE-NODEPORT-CONTAINER';
export const NODEPORT_HOST = 'KUBE-NODEPORT-HOST';
export const NODEPORT_NON_LOCAL = 'KUBE-NODEPORT-NON-LOCAL';
/** Not kube-proxy's: it had no refusals in this mode, connections just hung. */
export const PORTALS_FILTER = 'KUBE-PORTALS-FILTER';

export const ABOUT_PORTALS = 'handle ClusterIPs; NOTE: this must be before the NodePort rules';
export const ABOUT_NODEPORTS = 'handle service NodePorts; NOTE: this must be the last rule in the chain';
export const ABOUT_NON_LOCAL = 'Ensure that non-local NodePort traffic can flow';
export const ABOUT_FILTER = 'kubernetes service portals without endpoints';

const OURS: Readonly<Record<string, readonly string[]>> = {
  filter: [NODEPORT_NON_LOCAL, PORTALS_FILTER],
  nat: [PORTALS_CONTAINER, PORTALS_HOST, NODEPORT_CONTAINER, NODEPORT_HOST],
};

/** No other mode has chains of these names, so cleaning up after one mode never hurts another. */
export function isUserspaceChain(table: string, chain: string): boolean {
  return OURS[table]?.includes(chain) ?? false;
}
