/**
 * The wires of a local cluster. A bridge in a namespace of its own is the LAN; every node is a namespace with one veth into it; the host
 * has one veth too and nothing else: no bridge, no rule, no sysctl. The commands are planned purely and applied by `ensure…`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { exec, type Exec } from '../host/exec.ts';
import { Links, linkExists, namespaceExists } from '../host/links.ts';
import { linkMac } from './lan-index.ts';
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
      `link add ${UPLINK} type veth peer name ${lan.hostLink} address ${linkMac(lan.namespace)} netns ${String(process.pid)}`,
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
    inNode: ['link set lo up', `address add ${node.ip}/24 dev eth0`, 'link set eth0 up', ...planRoutes(layout, config)],
  };
}

/** The LAN as planned; what a start that was killed half-way, or somebody else, made of it is replaced. */
export async function ensureLan(layout: Layout, links = new Links()): Promise<void> {
  const { lan } = layout;
  const cidr = `${lan.hostIp}/24`;
  if (namespaceExists(lan.namespace) && (await links.isConnected(undefined, lan.hostLink, cidr))) return;
  // Explicitly, because what goes with a namespace goes some time after the command.
  await removeHostLink(layout, links);
  if (namespaceExists(lan.namespace)) await links.deleteNamespace(lan.namespace);
  await links.addNamespace(lan.namespace);
  const plan = planLan(layout);
  await links.batch(lan.namespace, plan.inLan);
  await links.batch(undefined, plan.onHost);
}

/** Removes the host's end of the LAN, known by its hardware address: the name may be another cluster's by now. */
export async function removeHostLink({ lan }: Layout, links = new Links()): Promise<void> {
  const link = (await links.list()).find(({ mac }) => mac === linkMac(lan.namespace));
  // Its other end may go first, and take it along.
  if (link) await links.batch(undefined, [`link delete ${link.name}`]).catch(ignoreUnless(() => linkExists(link.name)));
}

/** Swallows a failure to do what is done by now. */
function ignoreUnless(isStillWrong: () => boolean): (error: unknown) => void {
  return (error) => {
    if (isStillWrong()) throw error;
  };
}

/** Whether the node's link into the LAN is there and works. */
export async function isOnLan(node: NodeLayout, links = new Links()): Promise<boolean> {
  return namespaceExists(node.namespace) && (await links.isConnected(node.namespace, 'eth0', `${node.ip}/24`));
}

/** Makes the namespace where there is none, and in any case the routes that are wanted. */
export async function ensureNode(
  layout: Layout,
  node: NodeLayout,
  config: ClusterConfig,
  links = new Links(),
): Promise<void> {
  if (!namespaceExists(node.namespace)) {
    await links.addNamespace(node.namespace);
    const plan = planNode(layout, node, config);
    await links.batch(layout.lan.namespace, plan.inLan);
    await links.batch(node.namespace, plan.inNode);
    return;
  }
  const present = await links.destinations(node.namespace);
  await links.batch(node.namespace, planRoutes(layout, config, present));
}

/** Lines that bring the routes of a node from those `present` to those wanted. */
export function planRoutes(
  layout: Layout,
  config: Pick<ClusterConfig, 'serviceClusterIpRange' | 'egress'>,
  present: readonly string[] = [],
): string[] {
  // The LAN has no IPv6, and no Pod an address of it.
  const range = config.serviceClusterIpRange.split(',')[0] ?? '';
  return [
    // A cluster IP must be routable before the node's own rules can rewrite it: the kernel looks for a route first.
    ...(present.includes(range) ? [] : [`route add ${range} dev eth0`]),
    ...(config.egress && !present.includes('default') ? [`route add default via ${layout.lan.hostIp}`] : []),
    ...(!config.egress && present.includes('default') ? ['route delete default'] : []),
  ];
}

/** Takes a node's link off the LAN and its namespace away. */
export async function disconnectNode(layout: Layout, node: NodeLayout, links = new Links()): Promise<void> {
  if (namespaceExists(layout.lan.namespace) && namespaceExists(node.namespace))
    await links.batch(layout.lan.namespace, [`link delete ${node.name}`]).catch(() => undefined); // half-made: it has none
  await removeNamespaces([node.namespace], links);
}

export async function removeNamespaces(names: readonly string[], links = new Links()): Promise<void> {
  for (const name of names) if (namespaceExists(name)) await links.deleteNamespace(name);
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

/** What forwarding is now, for `closeEgress` to go back to. */
export function forwarding(): string {
  return readFileSync(FORWARDING, 'utf8').trim();
}

/** The one exception to "no rule on the host", asked for by --egress. Safe to repeat. */
export async function openEgress(layout: Layout, run: Exec = exec): Promise<void> {
  const table = egressTable(layout);
  const rules = `add table ip ${table}\nflush table ip ${table}
add chain ip ${table} postrouting { type nat hook postrouting priority srcnat; }
add rule ip ${table} postrouting ip saddr ${layout.lan.prefix} oifname != "${layout.lan.hostLink}" masquerade\n`;
  await run('nft', ['-f', '-'], { input: rules });
  if (forwarding() !== '1') writeFileSync(FORWARDING, '1');
}

/** Throws HostError where the rule could not be removed. Forwarding stays while another cluster needs it. */
export async function closeEgress(layout: Layout, forwardingBefore: string, run: Exec = exec): Promise<void> {
  const table = egressTable(layout);
  // Added first: deleting what is not there would be a failure.
  await run('nft', ['-f', '-'], { input: `add table ip ${table}\ndelete table ip ${table}\n` });
  const { stdout } = await run('nft', ['list', 'tables', 'ip']);
  if (forwardingBefore !== forwarding() && !stdout.includes('table ip fairway-'))
    writeFileSync(FORWARDING, forwardingBefore);
}

function egressTable(layout: Layout): string {
  return `fairway-${layout.name}`;
}
