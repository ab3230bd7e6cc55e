/**
 * The node's share of the pod network: a bridge for its own pods (made by the CNI plugins from the configuration written here), routes to
 * the pods of the other nodes, and masquerading for what leaves the cluster. Between pods and nodes addresses are never changed (7-042).
 */
import { access, constants, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Node } from '../api/types.ts';
import { exec } from '../host/exec.ts';
import type { Exec } from '../host/exec.ts';
import { cidrContains, parseCidr } from '../lib/cidr.ts';
import { familyOf, parseIp } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';

/** How a pod reaches itself through its own Service (7-038). */
export type HairpinMode = 'hairpin-veth' | 'promiscuous-bridge' | 'none';

export const BRIDGE = 'cni0';
const MASQUERADE_CHAIN = 'FAIRWAY-MASQUERADE';
const CONFIG_FILE = '10-fairway.conflist';
/** Kept of the network's name in the CNI plugins' own records, so that leftovers can be told. */
const NETWORK_NAME = 'fairway';

export interface CniOptions {
  readonly podCIDRs: readonly string[];
  readonly hairpinMode: HairpinMode;
  /** Where host-local keeps which address is whose. */
  readonly stateDir: string;
}

/** The text of the CNI configuration list. Pure. */
export function renderCniConfig({ podCIDRs, hairpinMode, stateDir }: CniOptions): string {
  const routes = [...new Set(podCIDRs.map((cidr) => (parseCidr(cidr)?.family === 'IPv6' ? '::/0' : '0.0.0.0/0')))];
  const bridge = {
    type: 'bridge',
    bridge: BRIDGE,
    isGateway: true,
    ipMasq: false,
    hairpinMode: hairpinMode === 'hairpin-veth',
    promiscMode: hairpinMode === 'promiscuous-bridge',
    ipam: {
      type: 'host-local',
      dataDir: stateDir,
      ranges: podCIDRs.map((subnet) => [{ subnet }]),
      routes: routes.map((dst) => ({ dst })),
    },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  const list = { cniVersion: '0.4.0', name: NETWORK_NAME, plugins: [bridge, portmap] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/**
 * Written beside and renamed, never half there. It must be beside: containerd watches the folder, and reads again when a file in it is written,
 * renamed or removed, but not when one is moved in from elsewhere.
 */
export async function writeCniConfig(confDir: string, options: CniOptions): Promise<void> {
  await mkdir(confDir, { recursive: true });
  await mkdir(options.stateDir, { recursive: true });
  const path = join(confDir, CONFIG_FILE);
  const text = renderCniConfig(options);
  if ((await readFile(path, 'utf8').catch(() => '')) === text) return;
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const PLUGINS = ['bridge', 'host-local', 'loopback', 'portmap'];

/** Of the plugins that a pod network needs, those that are not in the folder. */
export async function missingPlugins(binDir: string): Promise<string[]> {
  const present = await Promise.all(
    PLUGINS.map((name) =>
      access(join(binDir, name), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return PLUGINS.filter((_, index) => !present[index]);
}

/** IPv4 InternalIPs of all nodes, in order: the same nodes give the same rules. Pure. */
export function nodeIpsOf(nodes: readonly Node[]): string[] {
  const addresses = nodes.flatMap((node) => node.status?.addresses ?? []);
  const ips = addresses.filter(({ type, address }) => type === 'InternalIP' && familyOf(address) === 'IPv4');
  return [...new Set(ips.map(({ address }) => address))].sort();
}

/** Pod CIDR to the address of the node that has it, for all nodes but `nodeName`. Pure. */
export function planRoutes(nodes: readonly Node[], nodeName: string): Map<string, string> {
  const routes = new Map<string, string>();
  for (const node of nodes) {
    if (node.metadata.name === nodeName || node.metadata.deletionTimestamp !== undefined) continue;
    const addresses = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
    for (const cidr of podCIDRsOf(node)) {
      const family = parseCidr(cidr)?.family;
      const via = addresses.find(({ address }) => familyOf(address) === family)?.address;
      if (family && via !== undefined) routes.set(cidr, via);
    }
  }
  return routes;
}

export function podCIDRsOf(node: Node): string[] {
  const { podCIDRs, podCIDR } = node.spec ?? {};
  return podCIDRs ?? (podCIDR === undefined || podCIDR === '' ? [] : [podCIDR]);
}

/**
 * Lines for `ip -batch` that turn `present` into `wanted`. Only routes of our own protocol number are ever in `present`, so that the
 * administrator's stay. Pure.
 */
export function routeCommands(present: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const gone = [...present.keys()].filter((cidr) => !wanted.has(cidr));
  const changed = [...wanted].filter(([cidr, via]) => present.get(cidr) !== via);
  return [
    ...gone.map((cidr) => `route del ${cidr} proto ${ROUTE_PROTOCOL}`),
    ...changed.map(([cidr, via]) => `route replace ${cidr} via ${via} proto ${ROUTE_PROTOCOL}`),
  ];
}

/** A number nobody else uses (see /etc/iproute2/rt_protos): marks the routes as ours. */
const ROUTE_PROTOCOL = '127';

export class PodRoutes {
  readonly #run: Exec;
  constructor(run: Exec = exec) {
    this.#run = run;
  }

  /** Reads what is there each time: a route lost with its link is put back. */
  async apply(wanted: ReadonlyMap<string, string>): Promise<void> {
    const { stdout } = await this.#run('ip', ['-j', 'route', 'show', 'proto', ROUTE_PROTOCOL]);
    const listed = JSON.parse(stdout === '' ? '[]' : stdout) as { dst: string; gateway?: string }[];
    const lines = routeCommands(new Map(listed.map(({ dst, gateway = '' }) => [dst, gateway])), wanted);
    if (lines.length > 0) await this.#run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  }
}

export interface MasqueradeOptions {
  readonly clusterCidr: string;
  /** Addresses of all nodes: they have routes to the pods and see them by their own addresses. Nobody else on the LAN has. */
  readonly nodeIps: readonly string[];
}

/** Input for `iptables-restore --noflush`: one chain of our own, replaced as a whole. Pure. */
export function renderMasquerade({ clusterCidr, nodeIps }: MasqueradeOptions): string {
  const comment = (text: string) => `-m comment --comment "${text}"`;
  return [
    '*nat',
    `:${MASQUERADE_CHAIN} - [0:0]`,
    ...[clusterCidr, ...nodeIps].map(
      (network) => `-A ${MASQUERADE_CHAIN} -d ${network} ${comment('fairway: no NAT inside the cluster')} -j RETURN`,
    ),
    `-A ${MASQUERADE_CHAIN} -d 224.0.0.0/4 -j RETURN`,
    `-A ${MASQUERADE_CHAIN} ${comment('fairway: pods that leave the cluster')} -j MASQUERADE`,
    'COMMIT',
    '',
  ].join('\n');
}

/** The jump into the chain, by source: only what pods send is looked at. */
export function masqueradeJump(clusterCidr: string): string[] {
  return [
    'POSTROUTING',
    '-s',
    clusterCidr,
    '-m',
    'comment',
    '--comment',
    'fairway: pod traffic',
    '-j',
    MASQUERADE_CHAIN,
  ];
}

export async function applyMasquerade(options: MasqueradeOptions, run: Exec = exec): Promise<void> {
  await run('iptables-restore', ['-w', '10', '--noflush'], { input: renderMasquerade(options) });
  const jump = masqueradeJump(options.clusterCidr);
  const present = await run('iptables', ['-w', '10', '-t', 'nat', '-C', ...jump]).then(
    () => true,
    () => false,
  );
  if (!present) await run('iptables', ['-w', '10', '-t', 'nat', '-A', ...jump]);
}

/** What a node needs to pass packets on. Each is set only where it differs, and a refusal is a warning: it may be good enough (T24). */
const SYSCTLS: readonly [name: string, value: string][] = [
  ['net/ipv4/ip_forward', '1'],
  // Replies of a Service may come back another way than the request went: strict filtering would drop them.
  ['net/ipv4/conf/all/rp_filter', '0'],
  ['net/ipv4/conf/default/rp_filter', '0'],
  // Packets between pods of one node must pass the Service rules as well (F51).
  ['net/bridge/bridge-nf-call-iptables', '1'],
];

export async function applySysctls(log: Log): Promise<void> {
  for (const [name, value] of SYSCTLS) {
    const path = `/proc/sys/${name}`;
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present?.trim() === value) continue;
    try {
      await writeFile(path, value);
    } catch (error) {
      log.warn(
        { sysctl: name.replaceAll('/', '.'), wanted: value, found: present?.trim(), err: error },
        'sysctl not set',
      );
    }
  }
}

/** Whether a node's own address lies in the pods' range: then nothing could be routed (F63). */
export function overlaps(clusterCidr: string, nodeIp: string): boolean {
  const [cidr, ip] = [parseCidr(clusterCidr), parseIp(nodeIp)];
  return cidr !== undefined && ip !== undefined && cidrContains(cidr, ip);
}
