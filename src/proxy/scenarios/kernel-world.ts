/**
 * WORLD as network namespaces on this kernel: a LAN with two nodes and a machine outside, Pods behind hairpin bridges. Only for tests,
 * and only inside an outer namespace of their own.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exec, execInNamespace, type Exec } from '../../host/exec.ts';
import { WORLD, type PodName } from './scenario.ts';
import type { Probe, ProbeResult } from './station.ts';

export type Machine = PodName | 'node' | 'outside';

const NAMESPACES = { node: 'node01', outside: 'outside' } as const;
const namespaceOf = (machine: Machine): string =>
  machine === 'node' || machine === 'outside' ? NAMESPACES[machine] : machine;

export class KernelWorld {
  readonly #stations = new Map<Machine, Station>();

  static async create(): Promise<KernelWorld> {
    for (const line of links()) await exec('ip', line.split(' '));
    const settings = [
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv4.conf.default.rp_filter=0',
      'net.ipv4.conf.all.send_redirects=0',
      // the kernel sends one refusal a second and address otherwise, and tests ask faster
      'net.ipv4.icmp_ratelimit=0',
      'net.ipv4.conf.all.route_localnet=1',
      'net.bridge.bridge-nf-call-iptables=1',
    ];
    for (const node of ['node01', 'node02'])
      await execInNamespace(`/run/netns/${node}`)('sysctl', ['-qw', ...settings]);
    const world = new KernelWorld();
    const machines: Machine[] = ['node', 'outside', ...(Object.keys(WORLD.pods) as PodName[])];
    await Promise.all(
      machines.map(async (machine) => {
        const station = new Station(namespaceOf(machine), machine, machine in WORLD.pods ? WORLD.ports : []);
        world.#stations.set(machine, station);
        await station.ready;
      }),
    );
    return world;
  }

  /** Runs programs on the node under test. */
  get onNode(): Exec {
    return execInNamespace('/run/netns/node01');
  }

  ask(from: Machine, probe: Probe): Promise<ProbeResult> {
    const station = this.#stations.get(from);
    if (!station) throw new Error(`no such machine: ${from}`);
    return station.ask(probe);
  }

  /** Ends the processes; the namespaces go with the outer one. */
  async close(): Promise<void> {
    await Promise.all([...this.#stations.values()].map((station) => station.close()));
  }
}

class Station {
  readonly ready: Promise<unknown>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((value: unknown) => void)[] = [];
  #last: Promise<unknown>;

  constructor(namespace: string, name: string, ports: readonly number[]) {
    const script = fileURLToPath(new URL('station.ts', import.meta.url));
    const args = [`--net=/run/netns/${namespace}`, process.execPath, script, name, ...ports.map(String)];
    this.#child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    this.#child.on('exit', () => {
      // whoever still waits is told, rather than waiting for ever
      for (const tell of this.#waiting.splice(0)) tell([`${name} ended`]);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line));
    });
    this.ready = this.#next();
    this.#last = this.ready;
  }

  async ask(probe: Probe): Promise<ProbeResult> {
    const result = this.#last.then(() => {
      this.#child.stdin.write(`${JSON.stringify(probe)}\n`);
      return this.#next();
    });
    this.#last = result;
    return (await result) as ProbeResult;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve();
      });
      this.#child.stdin.end();
    });
  }

  #next(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** Arguments of `ip`, line by line. */
function links(): string[] {
  const lines = ['netns add lan', '-n lan link set lo up', '-n lan link add br0 type bridge', '-n lan link set br0 up'];
  lines.push('-n lan addr add 172.30.0.1/24 dev br0');
  const onLan = (namespace: string, ip: string) => {
    lines.push(
      `netns add ${namespace}`,
      `-n ${namespace} link set lo up`,
      `-n ${namespace} link add eth0 type veth peer name ${namespace} netns lan`,
      `-n lan link set ${namespace} master br0 up`,
      `-n ${namespace} addr add ${ip}/24 dev eth0`,
      `-n ${namespace} link set eth0 up`,
      `-n ${namespace} route add default via 172.30.0.1`,
    );
  };
  onLan('outside', WORLD.outside);
  for (const { name, ip, podGateway } of [WORLD.node, WORLD.otherNode]) {
    onLan(name, ip);
    lines.push(
      `-n ${name} link add cni0 type bridge`,
      `-n ${name} addr add ${podGateway}/24 dev cni0`,
      `-n ${name} link set cni0 up`,
    );
  }
  for (const [pod, { ip, node }] of Object.entries(WORLD.pods)) {
    const gateway = node === WORLD.node.name ? WORLD.node.podGateway : WORLD.otherNode.podGateway;
    lines.push(
      `netns add ${pod}`,
      `-n ${pod} link set lo up`,
      `-n ${pod} link add eth0 type veth peer name ${pod} netns ${node}`,
      `-n ${node} link set ${pod} master cni0 up`,
      `-n ${node} link set ${pod} type bridge_slave hairpin on`,
      `-n ${pod} addr add ${ip}/24 dev eth0`,
      `-n ${pod} link set eth0 up`,
      `-n ${pod} route add default via ${gateway}`,
    );
  }
  lines.push(
    `-n node01 route add 10.244.2.0/24 via ${WORLD.otherNode.ip}`,
    `-n node02 route add 10.244.1.0/24 via ${WORLD.node.ip}`,
    // what a router in front of a cluster would do: Services, and addresses that were announced
    ...['10.96.0.0/16', '172.30.0.144/28', '172.30.0.160/28'].map(
      (range) => `-n outside route add ${range} via ${WORLD.node.ip}`,
    ),
  );
  return lines;
}
