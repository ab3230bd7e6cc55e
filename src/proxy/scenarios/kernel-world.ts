/**
 * WORLD as network namespaces on this kernel, in IPv4 and IPv6: a LAN with two nodes and a machine outside, Pods behind hairpin bridges.
 * The node under test is the namespace this process is in, so that netlink sockets and relays of the process are the node's. Only for
 * tests, and only inside an outer namespace of their own.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exec, execInNamespace, type Exec } from '../../host/exec.ts';
import type { Family } from '../../lib/ip.ts';
import { inIPv6 } from './ipv6.ts';
import { WORLD, type PodName } from './scenario.ts';
import type { Done, Order, Probe, ProbeResult } from './station.ts';

export type Machine = PodName | 'node' | 'outside';

/** undefined: where this process is. */
const namespaceOf = (machine: Machine): string | undefined => (machine === 'node' ? undefined : machine);

/** On the node under test; those of Pods elsewhere are in namespaces that are taken away whole. */
const NODE_LINKS = ['eth0', 'cni0', ...Object.keys(WORLD.pods)];
const OTHERS = ['lan', 'outside', WORLD.otherNode.name, ...Object.keys(WORLD.pods)];

/** A probe of one try, as of a scenario's address. */
export function ask(family: Family | undefined, to: string, port: number): Probe {
  const host = family === 'IPv6' ? inIPv6(to) : to;
  return { host, port, protocol: 'TCP', until: [], tries: 1, timeout: 3000 };
}

export class KernelWorld {
  readonly #stations = new Map<Machine, Station>();

  static async create(): Promise<KernelWorld> {
    await takeDown();
    for (const line of links()) await exec('ip', line.split(' '));
    await exec('sysctl', ['-qw', ...SETTINGS]);
    await execInNamespace(`/run/netns/${WORLD.otherNode.name}`)('sysctl', ['-qw', ...SETTINGS]);
    // a router in front of nodes follows no redirects: they name who is behind an address that is translated
    const deaf = ['all', 'eth0'].map((link) => `net.ipv6.conf.${link}.accept_redirects=0`);
    await execInNamespace('/run/netns/outside')('sysctl', ['-qw', ...deaf]);
    const world = new KernelWorld();
    const machines: Machine[] = ['node', 'outside', ...(Object.keys(WORLD.pods) as PodName[])];
    await Promise.all(
      machines.map(async (machine) => {
        const station = new Station(namespaceOf(machine), machine, machine === 'outside' ? [] : WORLD.ports);
        world.#stations.set(machine, station);
        await station.ready;
      }),
    );
    return world;
  }

  /** Runs programs on the node under test. */
  readonly onNode: Exec = exec;

  ask(from: Machine, probe: Probe): Promise<ProbeResult> {
    const station = this.#stations.get(from);
    if (!station) throw new Error(`no such machine: ${from}`);
    return station.ask(probe);
  }

  /** Ends the processes and takes the links and namespaces away, so that the next test file finds an empty machine. */
  async close(): Promise<void> {
    await Promise.all([...this.#stations.values()].map((station) => station.close()));
    await takeDown();
  }
}

const SETTINGS = [
  'net.ipv4.ip_forward=1',
  'net.ipv6.conf.all.forwarding=1',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.ipv4.conf.all.send_redirects=0',
  // the kernel sends one refusal a second and address otherwise, and tests ask faster
  'net.ipv4.icmp_ratelimit=0',
  'net.ipv6.icmp.ratelimit=0',
  'net.ipv4.conf.all.route_localnet=1',
  'net.bridge.bridge-nf-call-iptables=1',
  'net.bridge.bridge-nf-call-ip6tables=1',
];

/** A connection tried while no rule was there stays untranslated for two minutes: the next client with that port would hang too. */
export async function forgetFlows(): Promise<void> {
  // a kernel that tracks nothing yet has nothing to forget
  await exec('conntrack', ['-F']).catch(() => undefined);
}

/** What of this world is there, also from a test that broke off. */
async function takeDown(): Promise<void> {
  await forgetFlows();
  // links before namespaces: the kernel takes a namespace down later, and the peer of its link would be in the next world's way
  const { stdout } = await exec('ip', ['-brief', 'link']);
  const links = NODE_LINKS.filter((link) => new RegExp(`^${link}[@ ]`, 'm').test(stdout));
  for (const link of links) await exec('ip', ['link', 'del', link]).catch(() => undefined); // went with its peer
  const there = await readdir('/run/netns').catch((): string[] => []);
  for (const name of OTHERS.filter((one) => there.includes(one))) await exec('ip', ['netns', 'del', name]);
}

class Station {
  readonly ready: Promise<unknown>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (result: ProbeResult) => void>();
  #orders = 0;

  constructor(namespace: string | undefined, name: string, ports: readonly number[]) {
    const script = fileURLToPath(new URL('station.ts', import.meta.url));
    const command = [process.execPath, script, name, ...ports.map(String)];
    const enter = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`];
    const [file = '', ...args] = [...enter, ...command];
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    const lines = createInterface({ input: this.#child.stdout });
    this.ready = once(lines, 'line').then(() => {
      lines.on('line', (line) => {
        const { id, result } = JSON.parse(line) as Done;
        this.#tell(id, result);
      });
    });
    this.#child.on('exit', () => {
      // whoever still waits is told, rather than waiting for ever
      for (const id of this.#waiting.keys()) this.#tell(id, [`${name} ended`]);
    });
  }

  /** What is asked while another question is open is asked beside it. */
  ask(probe: Probe): Promise<ProbeResult> {
    const order: Order = { id: ++this.#orders, probe };
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    return new Promise((resolve) => this.#waiting.set(order.id, resolve));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve();
      });
      this.#child.stdin.end();
    });
  }

  #tell(id: number, result: ProbeResult): void {
    this.#waiting.get(id)?.(result);
    this.#waiting.delete(id);
  }
}

/** Arguments of `ip`, line by line. */
function links(): string[] {
  const { node, otherNode, outside, pods } = WORLD;
  const lines: string[] = [];
  const into = (namespace: string | undefined) => (namespace === undefined ? '' : `-n ${namespace} `);
  const address = (at: string | undefined, ip: string, link: string) => {
    lines.push(`${into(at)}addr add ${ip}/24 dev ${link}`, `${into(at)}addr add ${inIPv6(ip)}/64 dev ${link} nodad`);
  };
  const route = (at: string | undefined, range: string, via: string) => {
    lines.push(
      `${into(at)}route add ${range} via ${via}`,
      `${into(at)}-6 route add ${inIPv6(range)} via ${inIPv6(via)}`,
    );
  };
  const machine = (at: string | undefined, peer: string, peerNamespace: string | undefined, bridge: string) => {
    if (at !== undefined) lines.push(`netns add ${at}`, `-n ${at} link set lo up`);
    // a link to this process' own namespace is made from there: it has no name
    if (at === undefined) lines.push(`link add eth0 type veth peer name ${peer} netns ${peerNamespace ?? ''}`);
    else if (peerNamespace === undefined) lines.push(`link add ${peer} type veth peer name eth0 netns ${at}`);
    else lines.push(`-n ${at} link add eth0 type veth peer name ${peer} netns ${peerNamespace}`);
    lines.push(`${into(peerNamespace)}link set ${peer} master ${bridge} up`);
  };
  lines.push('netns add lan', '-n lan link set lo up', '-n lan link add br0 type bridge', '-n lan link set br0 up');
  address('lan', '172.30.0.1', 'br0');
  const onLan = (at: string | undefined, peer: string, ip: string) => {
    machine(at, peer, 'lan', 'br0');
    address(at, ip, 'eth0');
    lines.push(`${into(at)}link set eth0 up`);
    route(at, 'default', '172.30.0.1');
  };
  onLan('outside', 'outside', outside);
  for (const { name, ip, podGateway } of [node, otherNode]) {
    const at = name === node.name ? undefined : name;
    onLan(at, name, ip);
    lines.push(`${into(at)}link add cni0 type bridge`);
    address(at, podGateway, 'cni0');
    lines.push(`${into(at)}link set cni0 up`);
  }
  for (const [pod, { ip, node: home }] of Object.entries(pods)) {
    const isHere = home === node.name;
    const at = isHere ? undefined : home;
    machine(pod, pod, at, 'cni0');
    lines.push(`${into(at)}link set ${pod} type bridge_slave hairpin on`);
    address(pod, ip, 'eth0');
    lines.push(`-n ${pod} link set eth0 up`);
    route(pod, 'default', isHere ? node.podGateway : otherNode.podGateway);
  }
  route(undefined, '10.244.2.0/24', otherNode.ip);
  route(otherNode.name, '10.244.1.0/24', node.ip);
  // what a router in front of a cluster would do: Services, and addresses that were announced
  for (const range of [WORLD.serviceCIDR, '172.30.0.144/28', '172.30.0.160/28']) route('outside', range, node.ip);
  return lines;
}
