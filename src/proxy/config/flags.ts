/** The flags of kube-proxy (3-177) and the fields they are. What they say when asked is in their rows. */
import { SHAPE, type ConfigProblem, type Shape, type Told } from './configuration.ts';
import { decodeFlag } from './scalar.ts';

export interface ConfigFlag {
  /** Without the dashes. */
  readonly flag: string;
  /** What stands for the value in `--help`; absent: true or false. */
  readonly value?: string;
  /** The fields it sets. */
  readonly fields: readonly string[];
  readonly help: string;
  /** Of another shape than its fields: see `ports`. */
  readonly port?: 'healthzBindAddress' | 'metricsBindAddress';
}

const flag = (name: string, value: string | undefined, fields: string, help: string): ConfigFlag => ({
  flag: name,
  ...(value !== undefined && { value }),
  fields: fields.split(' '),
  help,
});

export const CONFIG_FLAGS: readonly ConfigFlag[] = [
  flag(
    'bind-address',
    'ip',
    'bindAddress',
    "the node's address, where the Node object is not to decide; nothing listens there",
  ),
  flag(
    'healthz-bind-address',
    'ip:port',
    'healthzBindAddress',
    'where /healthz and /livez answer; empty: nowhere (default: 0.0.0.0:10256)',
  ),
  flag(
    'metrics-bind-address',
    'ip:port',
    'metricsBindAddress',
    'where /metrics answers; empty: nowhere (default: 127.0.0.1:10249)',
  ),
  flag(
    'bind-address-hard-fail',
    undefined,
    'bindAddressHardFail',
    'end when one of these ports is taken, rather than trying again',
  ),
  flag('cluster-cidr', 'cidrs', 'clusterCIDR', 'Pod addresses; one range for each family, separated by a comma'),
  flag(
    'detect-local-mode',
    'mode',
    'detectLocalMode',
    'how Pods are told from others: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix (default: ClusterCIDR)',
  ),
  flag('pod-bridge-interface', 'name', 'detectLocal.bridgeInterface', 'the bridge Pods hang on, for BridgeInterface'),
  flag(
    'pod-interface-name-prefix',
    'prefix',
    'detectLocal.interfaceNamePrefix',
    "how Pods' interfaces begin, for InterfaceNamePrefix",
  ),
  flag(
    'nodeport-addresses',
    'cidrs',
    'nodePortAddresses',
    'where node ports answer: ranges, or primary (default: primary in nftables mode, else everywhere)',
  ),
  flag(
    'masquerade-all',
    undefined,
    'iptables.masqueradeAll nftables.masqueradeAll',
    'let endpoints see the node for all traffic to cluster IPs',
  ),
  flag(
    'iptables-masquerade-bit',
    'bit',
    'iptables.masqueradeBit nftables.masqueradeBit',
    'the bit of the packet mark that asks for masquerade, 0 to 31 (default: 14)',
  ),
  flag(
    'iptables-localhost-nodeports',
    undefined,
    'iptables.localhostNodePorts',
    'node ports answer on 127.0.0.1 too (default: true)',
  ),
  flag(
    'iptables-sync-period',
    'duration',
    'iptables.syncPeriod nftables.syncPeriod',
    'how often the whole rule set is looked at, except in ipvs mode (default: 30s)',
  ),
  flag(
    'iptables-min-sync-period',
    'duration',
    'iptables.minSyncPeriod nftables.minSyncPeriod',
    'least time between two syncs, except in ipvs mode (default: 0s)',
  ),
  flag(
    'ipvs-sync-period',
    'duration',
    'ipvs.syncPeriod',
    'how often everything is looked at in ipvs mode (default: 30s)',
  ),
  flag(
    'ipvs-min-sync-period',
    'duration',
    'ipvs.minSyncPeriod',
    'least time between two syncs in ipvs mode (default: 0s)',
  ),
  flag('ipvs-scheduler', 'name', 'ipvs.scheduler', 'how ipvs chooses endpoints (default: rr)'),
  flag('ipvs-exclude-cidrs', 'cidrs', 'ipvs.excludeCIDRs', "virtual servers in these ranges are somebody else's"),
  flag('ipvs-strict-arp', undefined, 'ipvs.strictARP', 'do not answer ARP for cluster IPs'),
  flag(
    'ipvs-tcp-timeout',
    'duration',
    'ipvs.tcpTimeout',
    'how long idle TCP connections are kept; 0 leaves it (default: 0s)',
  ),
  flag('ipvs-tcpfin-timeout', 'duration', 'ipvs.tcpFinTimeout', 'the same after a FIN (default: 0s)'),
  flag('ipvs-udp-timeout', 'duration', 'ipvs.udpTimeout', 'the same for UDP (default: 0s)'),
  flag(
    'conntrack-max-per-core',
    'count',
    'conntrack.maxPerCore',
    'connections to track for each core; 0 leaves it (default: 32768)',
  ),
  flag('conntrack-min', 'count', 'conntrack.min', 'connections to track at least (default: 131072)'),
  flag(
    'conntrack-tcp-timeout-established',
    'duration',
    'conntrack.tcpEstablishedTimeout',
    'how long idle TCP connections are tracked; 0 leaves it (default: 24h0m0s)',
  ),
  flag(
    'conntrack-tcp-timeout-close-wait',
    'duration',
    'conntrack.tcpCloseWaitTimeout',
    'the same in state CLOSE_WAIT (default: 1h0m0s)',
  ),
  flag(
    'conntrack-tcp-be-liberal',
    undefined,
    'conntrack.tcpBeLiberal',
    'do not call packets outside the TCP window INVALID (default: where the kernel lets us)',
  ),
  flag(
    'conntrack-udp-timeout',
    'duration',
    'conntrack.udpTimeout',
    'how long UDP flows without an answer are tracked; 0 leaves it (default: 0s)',
  ),
  flag('conntrack-udp-timeout-stream', 'duration', 'conntrack.udpStreamTimeout', 'the same with answers (default: 0s)'),
  flag(
    'oom-score-adj',
    'score',
    'oomScoreAdj',
    'how readily the kernel ends this process when memory is short, -1000 to 1000 (default: -999)',
  ),
  flag('feature-gates', 'map', 'featureGates', 'NAME=true,NAME=false,…; AllowServiceExternalIPs is one'),
  flag('config-sync-period', 'duration', 'configSyncPeriod', 'accepted: watches need no refresh'),
  flag('kube-api-qps', 'rate', 'clientConnection.qps', 'accepted: requests are few'),
  flag('kube-api-burst', 'count', 'clientConnection.burst', 'accepted: requests are few'),
  flag('kube-api-content-type', 'type', 'clientConnection.contentType', 'accepted: requests are in JSON'),
  flag('show-hidden-metrics-for-version', 'version', 'showHiddenMetricsForVersion', 'accepted: no metric is hidden'),
  flag('profiling', undefined, 'enableProfiling', "accepted: Node's own profiler is used"),
  flag('proxy-port-range', 'range', 'portRange', 'where relays listen in userspace mode, LOW-HIGH (default: any port)'),
  flag(
    'udp-timeout',
    'duration',
    'udpIdleTimeout',
    'how long UDP clients may be silent in userspace mode (default: 250ms)',
  ),
  {
    ...flag('healthz-port', 'port', 'healthzBindAddress', 'deprecated: see --healthz-bind-address; 0: nowhere'),
    port: 'healthzBindAddress',
  },
  {
    ...flag('metrics-port', 'port', 'metricsBindAddress', 'deprecated: see --metrics-bind-address; 0: nowhere'),
    port: 'metricsBindAddress',
  },
];

export interface FlagsRead {
  readonly told: Told;
  /** By the name of the flag, with its dashes. */
  readonly problems: readonly ConfigProblem[];
}

/** `given`: the flags on the command line, without dashes; `true` where one stands alone. Later ones win. */
export function readFlags(given: ReadonlyMap<string, string | true>): FlagsRead {
  const problems: ConfigProblem[] = [];
  let told: Told = {};
  for (const { flag: name, fields, port } of CONFIG_FLAGS) {
    const text = given.get(name);
    if (text === undefined) continue;
    for (const field of fields) {
      const decoded = port ? portAddress(text, port, told) : decodeFlag(text, shapeOf(field));
      if ('must' in decoded) problems.push({ field: `--${name}`, problem: `must ${decoded.must}`, fatal: true });
      else told = setField(told, field.split('.'), decoded.value);
      if ('must' in decoded) break;
    }
  }
  return { told, problems };
}

/** A port alone replaces that of the address (3-154); 0 is none. */
function portAddress(text: string | true, field: string, told: Told): ReturnType<typeof decodeFlag> {
  if (text === true || !/^\d{1,5}$/.test(text)) return { must: 'be a port' };
  if (text === '0') return { value: '' };
  const known = told[field];
  const host = typeof known === 'string' && known.includes(':') ? known.slice(0, known.lastIndexOf(':')) : HOSTS[field];
  return { value: `${host ?? '0.0.0.0'}:${text}` };
}

const HOSTS: Readonly<Record<string, string>> = { healthzBindAddress: '0.0.0.0', metricsBindAddress: '127.0.0.1' };

/** Given several times, these add up. */
export function isListFlag({ fields, port }: ConfigFlag): boolean {
  return port === undefined && fields.every((field) => shapeOf(field) === 'strings' || shapeOf(field) === 'switches');
}

function shapeOf(field: string): Shape {
  let shape: Shape = SHAPE;
  for (const name of field.split('.')) shape = typeof shape === 'object' ? (shape[name] ?? 'anything') : 'anything';
  return shape;
}

function setField(told: Told, [name = '', ...rest]: readonly string[], value: unknown): Told {
  if (rest.length === 0) return { ...told, [name]: value };
  return { ...told, [name]: setField((told[name] ?? {}) as Told, rest, value) };
}
