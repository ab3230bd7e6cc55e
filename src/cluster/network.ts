/**
 * The wires of a local cluster. A bridge in a namespace of its own is the LAN; every node is a namespace with one veth into it; the host
 * has one veth too and nothing else: no bridge, no rule, no sysctl. The commands are planned purely and applied by `ensure…`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { exec, type Exec } from '../host/exec.ts';
import { Links, linkExists, namespaceExists } from '../host/links.ts';
import type { ClusterConfig } from './config.ts';
import type { Layout, NodeLayout } from './layout.ts';

const BRIDGE = 'lan0';
const UPLINK = 'uplink';

/** Lines for the LAN namespace, and those for the host once the namespace is there. */
export function planLan({ lan }: Layout): { inLan: string[]; onHost: string[] } {
  return {
    inLan: [
      'link set lo up',
      `link add ${BRIDGE} type bridge`,
      `address add ${lan.lanIp}/24 dev ${BRIDGE}`,
      `link set ${BRIDGE} up`,
      `link add ${UPLINK} type veth peer name ${lan.hostLink} netns ${String(process.pid)}`,
      `link set ${UPLINK} master ${BRIDGE} up`,
    ],
    onHost: [`address add ${lan.hostIp}/24 dev ${lan.hostLink}`, `link set ${lan.hostLink} up`],
  };
}

/** Lines for a node's namespace. Its end of the veth is called eth0 as on a machine, the LAN's end like the node. */
export function planNode(
  layout: Layout,
  node: NodeLayout,
  config: Pick<ClusterConfig, 'serviceClusterIpRange' | 'egress'>,
): { inLan: string[]; inNode: string[] } {
  return {
    inLan: [
      `link add ${node.name} type veth peer name eth0 netns ${node.namespace}`,
      `link set ${node.name} master ${BRIDGE} up`,
    ],
    inNode: [
      'link set lo up',
      `address add ${node.ip}/24 dev eth0`,
      'link set eth0 up',
      // A cluster IP must be routable before the node's own rules can rewrite it: the kernel looks for a route first.
      `route add ${config.serviceClusterIpRange} dev eth0`,
      ...(config.egress ? [`route add default via ${layout.lan.hostIp}`] : []),
    ],
  };
}

export async function ensureLan(layout: Layout, links = new Links()): Promise<void> {
  const { lan } = layout;
  if (namespaceExists(lan.namespace) && linkExists(lan.hostLink)) return;
  if (namespaceExists(lan.namespace)) await links.deleteNamespace(lan.namespace);
  await links.addNamespace(lan.namespace);
  const plan = planLan(layout);
  await links.batch(lan.namespace, plan.inLan);
  await links.batch(undefined, plan.onHost);
}

export async function ensureNode(
  layout: Layout,
  node: NodeLayout,
  config: ClusterConfig,
  links = new Links(),
): Promise<void> {
  if (namespaceExists(node.namespace)) return;
  await links.addNamespace(node.namespace);
  const plan = planNode(layout, node, config);
  await links.batch(layout.lan.namespace, plan.inLan);
  await links.batch(node.namespace, plan.inNode);
}

export async function removeNamespaces(names: readonly string[], links = new Links()): Promise<void> {
  for (const name of names) if (namespaceExists(name)) await links.deleteNamespace(name);
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

/** The one exception to "no rule on the host", asked for by --egress. Returns what forwarding was before, for `closeEgress`. */
export async function openEgress(layout: Layout, run: Exec = exec): Promise<string> {
  const before = readFileSync(FORWARDING, 'utf8').trim();
  const table = egressTable(layout);
  const rules = `add table ip ${table}\nflush table ip ${table}
add chain ip ${table} postrouting { type nat hook postrouting priority srcnat; }
add rule ip ${table} postrouting ip saddr ${layout.lan.prefix} oifname != "${layout.lan.hostLink}" masquerade\n`;
  await run('nft', ['-f', '-'], { input: rules });
  if (before !== '1') writeFileSync(FORWARDING, '1');
  return before;
}

export async function closeEgress(layout: Layout, forwardingBefore: string, run: Exec = exec): Promise<void> {
  await run('nft', ['delete', 'table', 'ip', egressTable(layout)]).catch(() => undefined); // gone already: nothing to close
  if (forwardingBefore !== '1') writeFileSync(FORWARDING, forwardingBefore);
}

function egressTable(layout: Layout): string {
  return `fairway-${layout.name}`;
}
