/**
 * What no client may notice: a client opens connections all the time while endpoints roll, change a hundred times a second, and the
 * proxy is killed, restarted, or goes over to another mode; and how long a foreign flush is felt. The proxy is `fairway proxy`, a
 * process of its own beside the project's API server.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { startTlsApi, type TlsApi } from '../../../test/support/api.ts';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { ENDPOINT_SLICES, NODES, SERVICES } from '../../api/kinds.ts';
import type { EndpointSlice, Node, Service } from '../../api/types.ts';
import { exec } from '../../host/exec.ts';
import type { Family } from '../../lib/ip.ts';
import type { ProxyMode } from '../backend.ts';
import { inIPv6 } from './ipv6.ts';
import { ask, forgetFlows, KernelWorld } from './kernel-world.ts';
import { WORLD, type PodName } from './scenario.ts';
import { SteadyClient, type SteadyReport } from './steady-client.ts';

const FAIRWAY = join(import.meta.dirname, '..', '..', '..', 'bin', 'fairway');
const CLUSTER_IP = '10.96.0.77';
/** What the twin of the cluster IP is in. */
const CLUSTER_IPS6 = 'fd00:a:60::/108';
const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
/** ms. */
const LATE = 150;
/** ms. Longer than a busy machine takes to start a proxy. */
const LONG_WAIT = 10_000;
/** Bystanders, so that a sync has something to do. */
const OTHERS = 200;
const PODS: readonly PodName[] = ['own-a', 'own-b', 'far-a', 'far-b'];

export interface ContinuitySuite {
  readonly mode: ProxyMode;
  /** Distinguishes runs of one mode, such as variants of its tool. */
  readonly title?: string;
  /** Run before the first proxy starts. */
  readonly prepare?: readonly [file: string, ...args: string[]];
  /** Modes to go over to, and back. */
  readonly switchTo: readonly ProxyMode[];
  /** The command that takes all rules away, as another program would. */
  readonly flush: { readonly command: readonly [file: string, ...args: string[]]; readonly input?: string };
  /** What may be felt after a flush, ms. */
  readonly outage: number;
  /** How many times slower clients ask and Pods roll, for a machine that is slower by itself; default 1. */
  readonly pace?: number;
  /** How often a proxy is killed, and stopped, and started again; default 2. */
  readonly restarts?: number;
  /**
   * Connections end in a relay of the proxy: one that is under way when it is killed ends with it, and those that are opened while none runs wait for the
   * next one. None is refused.
   */
  readonly relays?: boolean;
  /** Test -> why the mode cannot pass it. */
  readonly excused?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

class ProxyProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #heard = () => {};
  #isLate = false;

  constructor(kubeconfig: string, mode: ProxyMode, env: Readonly<Record<string, string>>) {
    const flags = ['--kubeconfig', kubeconfig, '--hostname-override', WORLD.node.name, '--proxy-mode', mode];
    const cidrs = `${WORLD.clusterCIDR},${inIPv6(WORLD.clusterCIDR)}`;
    const args = ['proxy', ...flags, '--cluster-cidr', cidrs, '-v', '4'];
    this.#child = spawn(FAIRWAY, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    const { stderr } = this.#child;
    assert.ok(stderr);
    createInterface({ input: stderr }).on('line', (line) => {
      this.#lines.push(line);
      this.#heard();
    });
    this.#child.on('exit', () => {
      this.#heard();
    });
  }

  /** Resolves when a line of its log matches. */
  async says(pattern: RegExp): Promise<void> {
    const late = setTimeout(() => {
      this.#isLate = true;
      this.#heard();
    }, 10_000);
    while (!this.#lines.some((line) => pattern.test(line))) {
      const said = () => `has not said ${String(pattern)}:\n${this.#lines.slice(-20).join('\n')}`;
      assert.ok(this.#child.exitCode === null && !this.#isLate, said());
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
    clearTimeout(late);
  }

  /** Resolves when it answers that its rules are in force. */
  async healthy(): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      const response = await fetch('http://127.0.0.1:10256/livez').catch(() => undefined);
      if (response?.ok) return;
      assert.equal(this.#child.exitCode, null, `ended early:\n${this.#lines.slice(-20).join('\n')}`);
      await sleep(25);
    }
    assert.fail(`not healthy within 10 s:\n${this.#lines.slice(-20).join('\n')}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}

export function testContinuity(suite: ContinuitySuite): void {
  requireOuterNamespace();
  const { mode, relays = false, excused = {}, env = {}, restarts = 2, pace = 1 } = suite;
  let world: KernelWorld;
  let api: TlsApi;
  let proxy: ProxyProcess;
  /** Of TCP over IPv4: the one whose attempts a flush is measured by. */
  let client: SteadyClient;
  let clients: Readonly<Record<string, SteadyClient>>;
  /** The same without a Service between: where it is harmed too, the machine was too busy to tell anything. */
  let control: SteadyClient;
  let current = mode;
  const start = async (which: ProxyMode) => {
    current = which;
    proxy = new ProxyProcess(api.kubeconfig, which, env);
    await proxy.healthy();
  };
  const goOver = async (which: ProxyMode) => {
    await proxy.end('SIGTERM');
    await start(which);
    // ipvs mode takes the rules of iptables mode away itself, with its first write
    if (which !== 'ipvs') await proxy.says(/what another mode had left/);
  };
  /** What it is to be before a change is looked at; how it comes there is of no interest. */
  const begin = async (which: ProxyMode) => {
    if (which !== current) await goOver(which);
  };
  const setPods = (pods: readonly (PodName | `-${PodName}`)[]) => writeSlice(api, pods);
  const test = (name: string, body: () => Promise<void>) => {
    it(name, async (context) => {
      const why = excused[name];
      if (why !== undefined) context.diagnostic(`not run for ${mode}: ${why}`);
      else await body();
    });
  };
  /**
   * Does it, and expects that the client noticed nothing; again, twice at most, where the machine was too busy to tell. What `change` returns is what may be
   * noticed all the same: nothing, most often.
   */
  const expectUnharmed = async (
    change: () => Promise<Excuse | undefined>,
    prepare: () => Promise<void> = noPreparation,
  ) => {
    for (let tries = 1; ; tries++) {
      await prepare();
      await setPods(PODS);
      await Promise.all([...Object.values(clients), control].map((one) => one.report()));
      for (const one of Object.values(clients)) one.setTimeout(relays ? LONG_WAIT : undefined);
      const excuse = (await change()) ?? (relays ? { TCP: [], UDP: [] } : undefined);
      await sleep(200);
      const other = control.report();
      const reports = await Promise.all(
        Object.entries(clients).map(async ([name, one]) => [name, await one.report()] as const),
      );
      const { failures, slow } = await other;
      // an answer that came, but only after a good part of the time a Pod has to end, was held up by the machine
      const isLate = !excuse && reports.some(([, { slowest }]) => slowest > LATE * pace);
      if ((failures.length + slow.length > 0 || isLate) && tries < 3) continue;
      for (const [name, report] of reports) {
        const gone = excuse?.[name.startsWith('UDP') ? 'UDP' : 'TCP'];
        assertUnharmed(name, gone ? without(report, gone) : report, PODS);
      }
      return;
    }
  };

  describe(`${suite.title ?? mode}: a client that opens connections all the time`, () => {
    before(async () => {
      world = await KernelWorld.create();
      api = await startTlsApi({ serviceClusterIpRange: `10.96.0.0/16,${CLUSTER_IPS6}` });
      await fill(api);
      if (suite.prepare) await exec(suite.prepare[0], suite.prepare.slice(1));
      await start(mode);
      for (const family of FAMILIES) {
        for (const protocol of ['TCP', 'UDP'] as const) {
          const [first = ''] = await world.ask('client', { ...ask(family, CLUSTER_IP, 80), protocol });
          assert.match(first, /^(?:own|far)-/, `${protocol} over ${family}`);
        }
      }
      const ipv6 = inIPv6(CLUSTER_IP);
      client = new SteadyClient('client', { host: CLUSTER_IP, port: 80, every: 5 * pace });
      // less often: they share the time of one machine
      const every = 15 * pace;
      clients = {
        'TCP over IPv4': client,
        'TCP over IPv6': new SteadyClient('client', { host: ipv6, port: 80, every }),
        'UDP over IPv4': new SteadyClient('client', { host: CLUSTER_IP, port: 80, protocol: 'UDP', every }),
        'UDP over IPv6': new SteadyClient('client', { host: ipv6, port: 80, protocol: 'UDP', every }),
      };
      // from elsewhere: a Pod that is asked by one client in two ways sees the same ports again too soon
      control = new SteadyClient('far-b', { host: WORLD.pods['far-a'].ip, port: 9376 });
    });
    after(async () => {
      for (const one of [...Object.values(clients), control]) one.stop();
      await proxy.end('SIGTERM');
      await exec(FAIRWAY, ['proxy', '--cleanup']);
      await api.stop();
      await world.close();
    });

    test('notices no rolling update', () =>
      expectUnharmed(async () => {
        // one comes, one begins to end, one is gone: as a Deployment does it
        for (let at = 0; at < 8; at++) {
          const [a, b, c] = [0, 1, 2].map((by) => PODS[(at + by) % PODS.length] ?? 'own-a') as [
            PodName,
            PodName,
            PodName,
          ];
          await setPods([a, b]);
          await sleep(40 * pace);
          await setPods([a, b, c]);
          await sleep(40 * pace);
          await setPods([`-${a}`, b, c]);
          // who ends does so for a while: what is on its way to it is answered
          await sleep(250 * pace);
        }
        return undefined;
      }));

    test('notices no 100 endpoint changes a second', () =>
      expectUnharmed(async () => {
        const begin = performance.now();
        for (let changes = 0; changes < 300; changes++) {
          const isKept = (at: number) => ((changes >> at) & 1) === 0 || (changes & 15) === 15;
          await setPods(PODS.map((pod, at) => (isKept(at) ? pod : (`-${pod}` as const))));
          await sleep(Math.max(0, changes * 10 - (performance.now() - begin)));
        }
        return undefined;
      }));

    const waits = relays ? ', but that what is opened meanwhile takes as long' : '';
    /** Ends and starts it, again and again. Returns when what could not be finished was opened. */
    const restart = async (signal: NodeJS.Signals): Promise<Window[]> => {
      const windows: Window[] = [];
      for (let times = 0; times < restarts; times++) {
        const from = Date.now();
        // what waited for this one shall not meet its end
        if (relays) await Promise.all(Object.values(clients).map((one) => one.settled()));
        await proxy.end(signal);
        windows.push({ from, to: Date.now() });
        if (signal === 'SIGKILL') await sleep(100);
        await start(mode);
      }
      return windows;
    };

    test(`notices no proxy killed and started again${waits}`, () =>
      expectUnharmed(async () => {
        const gone = await restart('SIGKILL');
        return relays ? { TCP: gone, UDP: gone } : undefined;
      }));

    test(`notices no proxy stopped and started again${waits}`, () =>
      expectUnharmed(async () => {
        const gone = await restart('SIGTERM');
        return relays ? { TCP: [], UDP: gone } : undefined;
      }));

    for (const other of suite.switchTo) {
      test(`notices no change to ${other}`, () =>
        expectUnharmed(
          async () => {
            await goOver(other);
            await sleep(200);
            // a relay that waits for the processor makes its clients wait
            return other === 'userspace' ? { TCP: [], UDP: [] } : undefined;
          },
          () => begin(mode),
        ));
      // what ends in a relay ends with its process; and it takes a moment until the next mode's rules are there
      if (other !== 'userspace') {
        test(`notices no change from ${other}`, () =>
          expectUnharmed(
            () => goOver(mode).then(() => undefined),
            () => begin(other),
          ));
      }
    }

    test('feels a foreign flush only for a moment', async (): Promise<void> => {
      await begin(mode);
      client.setTimeout();
      const felt: number[] = [];
      const told: number[][] = [];
      const took: number[] = [];
      for (let times = 0; times < 5; times++) {
        await client.report();
        await forgetFlows();
        const { command, input } = suite.flush;
        const [file, ...args] = command;
        const flushedAt = Date.now();
        await exec(file, args, input === undefined ? {} : { input });
        took.push(Date.now() - flushedAt);
        await sleep(1500);
        const { failures, slow } = await client.report();
        const hurt = [...failures, ...slow].map((one) => one.at);
        felt.push(hurt.length === 0 ? 0 : Math.max(...hurt) - Math.min(...hurt) + 5);
        told.push(hurt.map((at) => at - flushedAt).sort((a, b) => a - b));
      }
      const medianOf = (some: readonly number[]) => some.toSorted((a, b) => a - b)[2] ?? 0;
      // on a busy machine one of them may meet a pause of everything, and all programs take longer: mending takes some like the one that flushed
      const most = suite.outage + 4 * medianOf(took);
      assert.ok(
        medianOf(felt) <= most,
        `more than ${String(most)} ms: felt for ${felt.join(', ')} ms, by attempts after ${told.map((one) => one.join(' ')).join('; ')} ms`,
      );
    });
  });
}

const noPreparation = () => Promise.resolve();

/** ms since the epoch: from when all that had been opened had ended, to the end of a proxy. */
interface Window {
  readonly from: number;
  readonly to: number;
}

/** When was opened what may have ended with a proxy. */
type Excuse = Readonly<Record<'TCP' | 'UDP', readonly Window[]>>;

/**
 * Without waits for the next proxy, or of a relay for the processor, and without what a proxy had taken and could not finish: of TCP when it was killed;
 * of UDP also when half a second did not bring a moment in which nobody waited for an answer. All that was opened later must have been answered.
 */
function without(report: SteadyReport, windows: readonly Window[]): SteadyReport {
  const isExcused = (at: number) => windows.some(({ from, to }) => at >= from && at <= to);
  return { ...report, failures: report.failures.filter(({ at }) => !isExcused(at)), slow: [] };
}

function assertUnharmed(
  client: string,
  { attempts, failures, slow, answers }: SteadyReport,
  pods: readonly PodName[],
): void {
  assert.ok(attempts > 40, `${client}: only ${String(attempts)} attempts: proves nothing`);
  assert.deepEqual(
    { failures: failures.slice(0, 5), slow: slow.slice(0, 5) },
    { failures: [], slow: [] },
    `${client}: of ${String(attempts)}: ${JSON.stringify(failures.slice(0, 5))}`,
  );
  for (const pod of pods) {
    assert.ok((answers[pod] ?? 0) > 0, `${client}: ${pod} never answered: ${JSON.stringify(answers)}`);
  }
}

async function fill({ client }: TlsApi): Promise<void> {
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: WORLD.node.name } };
  await client.create(NODES, node);
  const addresses = [WORLD.node.ip, inIPv6(WORLD.node.ip)].map((address) => ({ type: 'InternalIP', address }));
  await client.patch(NODES, WORLD.node.name, undefined, 'merge', { status: { addresses } }, { subresource: 'status' });
  const web = serviceOf('web', CLUSTER_IP);
  const clusterIPs = [CLUSTER_IP, inIPv6(CLUSTER_IP)];
  const { clusterIP, ports } = web.spec ?? {};
  await client.create(SERVICES, { ...web, spec: { clusterIP, clusterIPs, ports, ipFamilyPolicy: 'RequireDualStack' } });
  for (const family of FAMILIES) await client.create(ENDPOINT_SLICES, sliceOf('web', PODS, family));
  for (let at = 0; at < OTHERS; at++) {
    const name = `other-${String(at)}`;
    await client.create(SERVICES, serviceOf(name, `10.96.1.${String(at + 1)}`));
    await client.create(ENDPOINT_SLICES, sliceOf(name, ['own-a', 'far-a']));
  }
}

const PROTOCOLS = ['TCP', 'UDP'] as const;

const serviceOf = (name: string, clusterIP: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: {
    clusterIP,
    clusterIPs: [clusterIP],
    ports: PROTOCOLS.map((protocol) => ({ name: protocol.toLowerCase(), port: 80, protocol, targetPort: 9376 })),
  },
});

/** `-NAME` terminates but still serves. */
function sliceOf(service: string, pods: readonly (PodName | `-${PodName}`)[], family: Family = 'IPv4'): EndpointSlice {
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: PROTOCOLS.map((protocol) => ({ name: protocol.toLowerCase(), port: 9376, protocol })),
    endpoints: pods.map((text) => {
      const isEnding = text.startsWith('-');
      const { ip, node } = WORLD.pods[text.replace(/^-/, '') as PodName];
      const conditions = { ready: !isEnding, serving: true, terminating: isEnding };
      return { addresses: [ip], nodeName: node, conditions };
    }),
  };
  return family === 'IPv4' ? slice : { ...inIPv6(slice), metadata: { ...slice.metadata, name: `${service}-y` } };
}

async function writeSlice({ client }: TlsApi, pods: readonly (PodName | `-${PodName}`)[]): Promise<void> {
  for (const family of FAMILIES) {
    const { metadata, endpoints } = sliceOf('web', pods, family);
    await client.patch(ENDPOINT_SLICES, metadata?.name ?? '', 'default', 'merge', { endpoints });
  }
}
