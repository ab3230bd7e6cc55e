/** What is meant where a field is not told (3-153..3-174), and the text of a whole configuration. */
import { stringify } from 'yaml';
import { familyOf, joinHostPort, parseIp } from '../../lib/ip.ts';
import { API_VERSION, KIND, SHAPE, type KubeProxyConfiguration, type Shape, type Told } from './configuration.ts';
import { formatDuration } from './duration.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

/**
 * As kube-proxy's but for two: `minSyncPeriod` is 0 (its 1 s pays for syncs that are slow; ours pace themselves), and conntrack is made
 * liberal where the kernel lets us (trap T4), unless told otherwise.
 */
export const DEFAULTS: KubeProxyConfiguration = {
  bindAddress: '0.0.0.0',
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  bindAddressHardFail: false,
  enableProfiling: false,
  showHiddenMetricsForVersion: '',
  featureGates: {},
  clientConnection: {
    kubeconfig: '',
    acceptContentTypes: '',
    contentType: 'application/vnd.kubernetes.protobuf',
    qps: 5,
    burst: 10,
  },
  logging: {},
  hostnameOverride: '',
  mode: '',
  iptables: {
    masqueradeBit: 14,
    masqueradeAll: false,
    localhostNodePorts: true,
    snatNodeInternalIP: false,
    syncPeriod: 30 * SECOND,
    minSyncPeriod: 0,
  },
  nftables: { masqueradeBit: 14, masqueradeAll: false, syncPeriod: 30 * SECOND, minSyncPeriod: 0 },
  ipvs: {
    syncPeriod: 30 * SECOND,
    minSyncPeriod: 0,
    scheduler: '',
    excludeCIDRs: [],
    strictARP: false,
    tcpTimeout: 0,
    tcpFinTimeout: 0,
    udpTimeout: 0,
  },
  winkernel: {},
  detectLocalMode: 'ClusterCIDR',
  detectLocal: { bridgeInterface: '', interfaceNamePrefix: '' },
  clusterCIDR: '',
  nodePortAddresses: [],
  oomScoreAdj: -999,
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeout: 24 * HOUR,
    tcpCloseWaitTimeout: HOUR,
    tcpBeLiberal: undefined,
    udpTimeout: 0,
    udpStreamTimeout: 0,
  },
  configSyncPeriod: 15 * 60 * SECOND,
  portRange: '',
  udpIdleTimeout: 250,
  windowsRunAsService: false,
};

const HEALTHZ_PORT = 10_256;
const METRICS_PORT = 10_249;

/** Fields for which an empty text, a zero or nothing mean the default, as in Go, where they cannot be told apart. */
const ZERO_IS_DEFAULT: readonly string[] = [
  'bindAddress',
  'iptables.syncPeriod',
  'nftables.syncPeriod',
  'ipvs.syncPeriod',
  'configSyncPeriod',
  'clientConnection.contentType',
  'clientConnection.qps',
  'clientConnection.burst',
  'detectLocalMode',
  'udpIdleTimeout',
];

export function withDefaults(told: Told): KubeProxyConfiguration {
  const config = merge(DEFAULTS as unknown as Told, told, '') as unknown as KubeProxyConfiguration;
  const isV6 = familyOf(config.bindAddress) === 'IPv6';
  const address = (field: 'healthzBindAddress' | 'metricsBindAddress', ip: string, port: number) => {
    const text = told[field];
    return typeof text === 'string' && text !== '' ? withPort(text, port) : joinHostPort(ip, port);
  };
  return {
    ...config,
    healthzBindAddress: address('healthzBindAddress', isV6 ? '::' : '0.0.0.0', HEALTHZ_PORT),
    metricsBindAddress: address('metricsBindAddress', isV6 ? '::1' : '127.0.0.1', METRICS_PORT),
    hostnameOverride: config.hostnameOverride.trim().toLowerCase(),
  };
}

function merge(defaults: Told, told: Told, path: string): Told {
  const merged: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(told)) {
    const field = path === '' ? name : `${path}.${name}`;
    const own = defaults[name];
    const isNested = typeof SHAPE[name as keyof typeof SHAPE] === 'object' && path === '';
    if (isNested) merged[name] = merge(own as Told, value as Told, field);
    else if ((value !== '' && value !== 0) || !ZERO_IS_DEFAULT.includes(field)) merged[name] = value;
  }
  return merged;
}

/** An address alone gets the port (3-154). */
function withPort(text: string, port: number): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  return parseIp(bare) ? joinHostPort(bare, port) : text;
}

/** The file that says all of it: what `--write-config-to` writes. */
export function renderConfiguration(config: KubeProxyConfiguration): string {
  return stringify(toFile(config), { lineWidth: 0 });
}

/** As in the file: durations are texts again. What `/configz` tells. */
export function toFile(config: KubeProxyConfiguration): Told {
  return { apiVersion: API_VERSION, kind: KIND, ...(spell(config, SHAPE) as Told) };
}

function spell(value: unknown, shape: Shape): unknown {
  if (shape === 'duration') return formatDuration(value as number);
  if (typeof shape !== 'object') return value;
  const fields = value as Told;
  const told = Object.entries(shape).filter(([name]) => fields[name] !== undefined);
  return Object.fromEntries(told.map(([name, inner]) => [name, spell(fields[name], inner)]));
}
