/** What is wrong with a configuration: all of it at once. Which problems are fatal is in README.md. */
import { parseNetwork } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { PROXY_MODES } from '../backend.ts';
import { parsePortRange } from '../userspace/proxy-ports.ts';
import type { ConfigProblem, KubeProxyConfiguration, Periods } from './configuration.ts';

export const LOCAL_MODES = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const;
/** Words that stand for ranges in `nodePortAddresses`. */
export const NODE_PORT_WORDS: readonly string[] = ['primary', 'localhost', 'all'];
/** Gates that change something here. */
const GATES = ['AllowServiceExternalIPs'];

const NODE_NAME = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?$/;

type Wrong = (field: string, problem: string) => void;

export function validateConfiguration(config: KubeProxyConfiguration): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const fatal: Wrong = (field, problem) => problems.push({ field, problem, fatal: true });
  const leftOut: Wrong = (field, problem) => problems.push({ field, problem, fatal: false });
  checkAddresses(config, fatal);
  if (!NODE_NAME.test(config.hostnameOverride))
    fatal('hostnameOverride', `${config.hostnameOverride} is no name of a Node`);
  checkMode(config, fatal);
  checkRules(config, fatal);
  checkDetectLocal(config, fatal);
  checkNumbers(config, fatal);
  if (config.mode === 'ipvs') checkIpvs(config, fatal);
  if (config.mode === 'userspace') checkPortRange(config, fatal);
  checkRanges(config, leftOut);
  checkUnused(config, leftOut);
  return problems;
}

function checkAddresses(
  { bindAddress, healthzBindAddress, metricsBindAddress }: KubeProxyConfiguration,
  wrong: Wrong,
): void {
  if (!parseIp(bindAddress)) wrong('bindAddress', `${bindAddress} is no IP address`);
  for (const [field, text] of Object.entries({ healthzBindAddress, metricsBindAddress })) {
    if (text !== '' && !isIpPort(text)) wrong(field, `${text} must be IP:port such as 127.0.0.1:10249 or [::1]:10249`);
  }
}

function isIpPort(text: string): boolean {
  const [, v6, v4, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const isAddress = v6 === undefined ? parseIp(v4 ?? '')?.family === 'IPv4' : parseIp(v6)?.family === 'IPv6';
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
}

function checkMode({ mode }: KubeProxyConfiguration, wrong: Wrong): void {
  if (mode === '' || PROXY_MODES.some((one) => one === mode)) return;
  const what = mode === 'kernelspace' ? 'kernelspace is for Windows;' : `${mode}`;
  wrong('mode', `${what} must be ${PROXY_MODES.join(', ')}, or empty for the default`);
}

function checkRules({ iptables, nftables, ipvs }: KubeProxyConfiguration, wrong: Wrong): void {
  for (const [name, { masqueradeBit }] of Object.entries({ iptables, nftables })) {
    if (masqueradeBit < 0 || masqueradeBit > 31) wrong(`${name}.masqueradeBit`, 'must be within 0 to 31');
  }
  for (const [name, { syncPeriod, minSyncPeriod }] of Object.entries<Periods>({ iptables, nftables, ipvs })) {
    if (syncPeriod <= 0) wrong(`${name}.syncPeriod`, 'must be greater than 0');
    if (minSyncPeriod < 0) wrong(`${name}.minSyncPeriod`, 'must not be less than 0');
    if (minSyncPeriod > syncPeriod) wrong(`${name}.minSyncPeriod`, 'must not be greater than syncPeriod');
  }
}

/** A name becomes part of rules, so it must be one the kernel could have. */
const INTERFACE = /^[^\s/"'\\;{}]{1,15}$/;

function checkDetectLocal({ detectLocalMode, detectLocal }: KubeProxyConfiguration, wrong: Wrong): void {
  if (!LOCAL_MODES.some((one) => one === detectLocalMode))
    wrong('detectLocalMode', `${detectLocalMode} must be one of ${LOCAL_MODES.join(', ')}`);
  const needed = { BridgeInterface: 'bridgeInterface', InterfaceNamePrefix: 'interfaceNamePrefix' } as const;
  for (const [mode, field] of Object.entries(needed)) {
    if (detectLocalMode !== mode || INTERFACE.test(detectLocal[field])) continue;
    wrong(`detectLocal.${field}`, `must be a name of at most 15 characters when detectLocalMode is ${mode}`);
  }
}

function checkNumbers(config: KubeProxyConfiguration, wrong: Wrong): void {
  const { conntrack, oomScoreAdj, configSyncPeriod, clientConnection, udpIdleTimeout } = config;
  for (const [name, value] of Object.entries(conntrack)) {
    if (typeof value === 'number' && value < 0) wrong(`conntrack.${name}`, 'must not be less than 0');
  }
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) wrong('oomScoreAdj', 'must be within -1000 to 1000');
  if (configSyncPeriod <= 0) wrong('configSyncPeriod', 'must be greater than 0');
  if (udpIdleTimeout <= 0) wrong('udpIdleTimeout', 'must be greater than 0');
  if (clientConnection.burst < 0) wrong('clientConnection.burst', 'must not be less than 0');
}

/** Only where it is used. A range that is not understood might be somebody else's virtual servers: fatal, unlike all other ranges. */
function checkIpvs({ ipvs }: KubeProxyConfiguration, wrong: Wrong): void {
  for (const field of ['tcpTimeout', 'tcpFinTimeout', 'udpTimeout'] as const) {
    if (ipvs[field] < 0) wrong(`ipvs.${field}`, 'must not be less than 0');
  }
  if (!/^[a-z][a-z0-9_]{0,15}$|^$/.test(ipvs.scheduler))
    wrong('ipvs.scheduler', `${ipvs.scheduler} must be the name of a scheduler such as rr, wrr, lc, sh or mh`);
  for (const [at, text] of ipvs.excludeCIDRs.entries()) {
    if (!parseNetwork(text)) wrong(`ipvs.excludeCIDRs[${String(at)}]`, `${text} is no range such as 10.0.0.0/8`);
  }
}

function checkPortRange({ portRange }: KubeProxyConfiguration, wrong: Wrong): void {
  try {
    parsePortRange(portRange);
  } catch {
    wrong('portRange', `${portRange} must be LOW-HIGH or LOW+SIZE within 1 to 65535, or empty`);
  }
}

function checkRanges({ clusterCIDR, nodePortAddresses }: KubeProxyConfiguration, wrong: Wrong): void {
  const families = new Set<string>();
  for (const text of splitRanges(clusterCIDR)) {
    const family = parseNetwork(text)?.family;
    if (family === undefined) wrong('clusterCIDR', `${text} is no range such as 10.244.0.0/16; left out`);
    else if (families.has(family)) wrong('clusterCIDR', `${text} is a second ${family} range; only the first is used`);
    if (family !== undefined) families.add(family);
  }
  for (const [at, text] of nodePortAddresses.entries()) {
    if (NODE_PORT_WORDS.includes(text) || parseNetwork(text)) continue;
    const words = NODE_PORT_WORDS.join(', ');
    wrong(
      `nodePortAddresses[${String(at)}]`,
      `${text} is neither a range such as 192.168.0.0/24 nor ${words}; left out`,
    );
  }
}

function checkUnused(config: KubeProxyConfiguration, wrong: Wrong): void {
  for (const gate of Object.keys(config.featureGates)) {
    if (!GATES.includes(gate)) wrong(`featureGates.${gate}`, 'changes nothing here');
  }
  if (config.windowsRunAsService) wrong('windowsRunAsService', 'is for Windows; ignored');
  if (config.iptables.snatNodeInternalIP) wrong('iptables.snatNodeInternalIP', 'is not supported; ignored');
  if (config.enableProfiling) wrong('enableProfiling', 'is for the profiler of Go; use node --inspect; ignored');
}

export const splitRanges = (text: string): readonly string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
