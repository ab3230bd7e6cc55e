/** A configuration -> what the proxy is told. Pure. */
import { formatCidr, parseNetwork } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { PROXY_MODES, type ProxyMode } from '../backend.ts';
import type { DetectLocal, ProxyOptions } from '../options.ts';
import type { KubeProxyConfiguration } from './configuration.ts';
import { toFile } from './defaults.ts';
import { NODE_PORT_WORDS, splitRanges } from './validate.ts';

/** Where `mode` is empty. kube-proxy's is iptables until about 1.40, and it warns when it chooses (3-157). */
export const DEFAULT_MODE: ProxyMode = 'nftables';

export const modeOf = ({ mode }: Pick<KubeProxyConfiguration, 'mode'>): ProxyMode =>
  PROXY_MODES.find((one) => one === mode) ?? DEFAULT_MODE;

const seconds = (ms: number): number => Math.round(ms / 1000);

/** Expects a configuration without fatal problems. `nodeIps`: the primary first. */
export function proxyOptionsOf(
  config: KubeProxyConfiguration,
  nodeIps: readonly string[],
): Omit<ProxyOptions, 'client' | 'nodeName' | 'log'> {
  const mode = modeOf(config);
  const rules = mode === 'nftables' ? config.nftables : config.iptables;
  const { syncPeriod, minSyncPeriod } = mode === 'ipvs' ? config.ipvs : rules;
  const { conntrack, ipvs } = config;
  const clusterCidr = config.detectLocalMode === 'ClusterCIDR' ? usableRanges(config.clusterCIDR).join(',') : '';
  return {
    nodeIps,
    mode,
    ...(clusterCidr !== '' && { clusterCidr }),
    detectLocal: detectLocalOf(config),
    masqueradeAll: rules.masqueradeAll,
    masqueradeBit: rules.masqueradeBit,
    nodePortAddresses: nodePortAddressesOf(config, nodeIps),
    localhostNodePorts: config.iptables.localhostNodePorts,
    minSyncPeriod,
    syncPeriod,
    healthzBindAddress: config.healthzBindAddress,
    metricsBindAddress: config.metricsBindAddress,
    allowExternalIPs: config.featureGates['AllowServiceExternalIPs'] ?? true,
    ipvs: {
      ...(ipvs.scheduler !== '' && { scheduler: ipvs.scheduler }),
      strictARP: ipvs.strictARP,
      excludeCIDRs: ipvs.excludeCIDRs.flatMap((text) => canonical(text)),
      tcpTimeout: seconds(ipvs.tcpTimeout),
      tcpFinTimeout: seconds(ipvs.tcpFinTimeout),
      udpTimeout: seconds(ipvs.udpTimeout),
    },
    conntrack: {
      maxPerCore: conntrack.maxPerCore,
      min: conntrack.min,
      tcpEstablishedTimeout: seconds(conntrack.tcpEstablishedTimeout),
      tcpCloseWaitTimeout: seconds(conntrack.tcpCloseWaitTimeout),
      udpTimeout: seconds(conntrack.udpTimeout),
      udpStreamTimeout: seconds(conntrack.udpStreamTimeout),
      ...(conntrack.tcpBeLiberal !== undefined && { tcpBeLiberal: conntrack.tcpBeLiberal }),
    },
    userspace: { proxyPortRange: config.portRange, udpIdleTimeout: config.udpIdleTimeout },
    config: toFile(config),
  };
}

function detectLocalOf({ detectLocalMode, detectLocal }: KubeProxyConfiguration): DetectLocal {
  switch (detectLocalMode) {
    case 'BridgeInterface':
      return { mode: 'BridgeInterface', bridgeInterface: detectLocal.bridgeInterface };
    case 'InterfaceNamePrefix':
      return { mode: 'InterfaceNamePrefix', interfaceNamePrefix: detectLocal.interfaceNamePrefix };
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    default:
      return { mode: 'ClusterCIDR' };
  }
}

/** The first of each family, without what does not parse. */
function usableRanges(text: string): readonly string[] {
  const byFamily = new Map<string, string>();
  for (const range of splitRanges(text)) {
    const network = parseNetwork(range);
    if (network && !byFamily.has(network.family)) byFamily.set(network.family, formatCidr(network));
  }
  return [...byFamily.values()];
}

const canonical = (text: string): readonly string[] => {
  const network = parseNetwork(text);
  return network ? [formatCidr(network)] : [];
};

/**
 * 3-102, 3-163. `primary` with others beside it becomes the node's first address of each family. What does not parse stays in the list
 * and matches nothing: a list that became empty would open every address.
 */
function nodePortAddressesOf(config: KubeProxyConfiguration, nodeIps: readonly string[]): readonly string[] {
  const told = config.nodePortAddresses;
  if (told.length === 0) return modeOf(config) === 'nftables' ? ['primary'] : [];
  if (told.length === 1 && told[0] === 'primary') return told;
  return told.flatMap((text) => {
    if (!NODE_PORT_WORDS.includes(text)) return parseNetwork(text) ? canonical(text) : [text];
    if (text === 'all') return ['0.0.0.0/0', '::/0'];
    return text === 'localhost' ? ['127.0.0.0/8', '::1/128'] : primaries(nodeIps);
  });
}

function primaries(nodeIps: readonly string[]): readonly string[] {
  const ofFamily = (family: string) => nodeIps.find((ip) => parseIp(ip)?.family === family);
  const [v4, v6] = [ofFamily('IPv4'), ofFamily('IPv6')];
  return [...(v4 === undefined ? [] : [`${v4}/32`]), ...(v6 === undefined ? [] : [`${v6}/128`])];
}
