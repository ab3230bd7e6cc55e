/**
 * What a local cluster is asked to be: the flags of `fairway up` as one value. Recorded in the cluster's state, so a second `up`
 * without flags asks for the same again.
 */
import { parseCidr } from '../lib/cidr.ts';
import { PROXY_MODES, type ProxyMode } from '../proxy/backend.ts';
import { datastoreProblem, SQLITE } from './datastore.ts';
import { MAX_NODES, nodeName } from './layout.ts';

export const HAIRPIN_MODES = ['hairpin-veth', 'promiscuous-bridge', 'none'] as const;
export { PROXY_MODES, type ProxyMode };

export interface ClusterConfig {
  readonly nodes: number;
  readonly proxyMode: ProxyMode;
  /** Node name -> its proxy mode, where it is not `proxyMode`. */
  readonly nodeProxyModes: Readonly<Record<string, ProxyMode>>;
  readonly serviceClusterIpRange: string;
  readonly clusterCidr: string;
  readonly serviceNodePortRange: string;
  readonly clusterDomain: string;
  readonly hairpinMode: (typeof HAIRPIN_MODES)[number];
  /** `sqlite`, or the endpoints of an etcd, with the files that let us in; '' for none. */
  readonly datastore: string;
  readonly datastoreCafile: string;
  readonly datastoreCertfile: string;
  readonly datastoreKeyfile: string;
  /** Lets Pods and nodes reach the networks of the host: one masquerade rule and forwarding on the host, both removed by `down`. */
  readonly egress: boolean;
  /** Absolute path of the API server's audit log, and of the policy that says what goes into it; '': none. */
  readonly auditLogPath: string;
  readonly auditPolicyFile: string;
}

export const DEFAULT_CONFIG: ClusterConfig = {
  nodes: 2,
  proxyMode: 'nftables',
  nodeProxyModes: {},
  serviceClusterIpRange: '10.96.0.0/16',
  clusterCidr: '10.244.0.0/16',
  serviceNodePortRange: '30000-32767',
  clusterDomain: 'cluster.local',
  hairpinMode: 'hairpin-veth',
  datastore: SQLITE,
  datastoreCafile: '',
  datastoreCertfile: '',
  datastoreKeyfile: '',
  egress: false,
  auditLogPath: '',
  auditPolicyFile: '',
};

/** Fields that shape stored data (addresses already given out): they hold for the life of the data. */
const FIXED = ['serviceClusterIpRange', 'clusterCidr', 'clusterDomain'] as const;

const flagOf = (field: string) => `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Problems as sentences a user can act on; empty when the configuration is good. */
export function validateConfig(config: ClusterConfig): string[] {
  const problems: string[] = [];
  const wrong = (field: keyof ClusterConfig, why: string) =>
    problems.push(`${flagOf(field)} ${String(config[field])}: ${why}`);
  if (!Number.isInteger(config.nodes) || config.nodes < 1 || config.nodes > MAX_NODES)
    wrong('nodes', `must be 1 to ${String(MAX_NODES)}`);
  if (!PROXY_MODES.includes(config.proxyMode)) wrong('proxyMode', `must be one of ${PROXY_MODES.join(', ')}`);
  for (const [node, mode] of Object.entries(config.nodeProxyModes)) {
    if (!PROXY_MODES.includes(mode))
      problems.push(`--node ${node}:proxy-mode=${mode}: must be one of ${PROXY_MODES.join(', ')}`);
    if (!isAmong(config.nodes, node))
      problems.push(`--node ${node}:proxy-mode=${mode}: with --nodes ${String(config.nodes)} there is no ${node}`);
  }
  if (!HAIRPIN_MODES.includes(config.hairpinMode)) wrong('hairpinMode', `must be one of ${HAIRPIN_MODES.join(', ')}`);
  for (const why of serviceRangeProblems(config.serviceClusterIpRange)) wrong('serviceClusterIpRange', why);
  if (config.auditPolicyFile !== '' && config.auditLogPath === '')
    wrong('auditPolicyFile', 'says what goes into an audit log; give --audit-log-path too');
  const clusterCidr = parseCidr(config.clusterCidr);
  if (!clusterCidr) wrong('clusterCidr', 'must be a CIDR such as 10.244.0.0/16');
  else if (clusterCidr.family !== 'IPv4') wrong('clusterCidr', 'must be IPv4');
  const clusterBits = clusterCidr?.family === 'IPv4' ? clusterCidr.bits : undefined;
  if (clusterBits !== undefined && 2 ** (24 - clusterBits) < config.nodes)
    wrong('clusterCidr', `holds too few /24 ranges for ${String(config.nodes)} nodes`);
  const range = /^(\d+)-(\d+)$/.exec(config.serviceNodePortRange);
  const [low, high] = [Number(range?.[1]), Number(range?.[2])];
  if (!range || low < 1 || high > 65535 || low > high) wrong('serviceNodePortRange', 'must be LOW-HIGH within 1-65535');
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(config.clusterDomain))
    wrong('clusterDomain', 'must be a lower-case domain name such as cluster.local');
  const datastore = datastoreProblem(config.datastore);
  if (datastore !== undefined) problems.push(`--datastore: ${datastore}`);
  return problems;
}

/** An IPv4 range, and perhaps an IPv6 one behind a comma: Services may then have an address of each family. */
function serviceRangeProblems(text: string): string[] {
  const [first, second, ...more] = text.split(',').map(parseCidr);
  if (!first) return ['must be a CIDR such as 10.96.0.0/16'];
  if (first.family !== 'IPv4') return ['must begin with an IPv4 range'];
  if (first.bits > 28 || first.bits < 8) return ['must be /8 to /28'];
  if (!text.includes(',')) return [];
  if (second?.family !== 'IPv6' || more.length > 0)
    return ['may have one IPv6 range such as fd00:96::/112 behind the comma'];
  return second.bits < 64 || second.bits > 124 ? ['the IPv6 range must be /64 to /124'] : [];
}

const isAmong = (nodes: number, name: string) =>
  Array.from({ length: Math.min(nodes, MAX_NODES) }, (_, index) => nodeName(index + 1)).includes(name);

/** What is asked for on top of what is recorded. The mode of a node goes with the node; only where it is asked for now is it worth a complaint. */
export function configOf(recorded: ClusterConfig | undefined, asked: Partial<ClusterConfig>): ClusterConfig {
  const config: ClusterConfig = { ...DEFAULT_CONFIG, ...recorded, ...asked };
  if (asked.nodeProxyModes) return config;
  const modes = Object.entries(config.nodeProxyModes).filter(([node]) => isAmong(config.nodes, node));
  return { ...config, nodeProxyModes: Object.fromEntries(modes) };
}

/** What of `wanted` cannot be had while the data of `recorded` is kept. */
export function incompatibilities(recorded: ClusterConfig, wanted: ClusterConfig): string[] {
  const cannot = (field: keyof ClusterConfig, is: string, become: string) =>
    `${flagOf(field)} is ${is} in this cluster's data and cannot become ${become}; run: fairway down --purge`;
  const differs = (field: (typeof FIXED)[number]) => {
    const [before, after] = [recorded[field], wanted[field]];
    // A second family may come, and its addresses with it.
    const grows = field === 'serviceClusterIpRange' && after.startsWith(`${before},`);
    return before !== after && !grows;
  };
  const problems = FIXED.filter(differs).map((field) => cannot(field, recorded[field], wanted[field]));
  // Members of one etcd come and go; the data does not move from one kind of store to the other.
  const { datastore = SQLITE } = recorded as Partial<ClusterConfig>;
  if ((datastore === SQLITE) !== (wanted.datastore === SQLITE))
    problems.push(cannot('datastore', datastore, wanted.datastore));
  return problems;
}

/** The proxy mode of one node. */
export function proxyModeOf(config: ClusterConfig, node: string): ProxyMode {
  return config.nodeProxyModes[node] ?? config.proxyMode;
}

/** Every mode some node may run in. */
export function modesOf({ proxyMode, nodeProxyModes }: ClusterConfig): readonly ProxyMode[] {
  return [...new Set([proxyMode, ...Object.values(nodeProxyModes)])];
}

/** A cluster's name becomes part of namespace, cgroup and folder names. */
export function validateName(name: string): string | undefined {
  return /^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$/.test(name)
    ? undefined
    : `--name ${name}: must be 1 to 20 lower-case letters, digits and dashes`;
}
