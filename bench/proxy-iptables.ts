/**
 * The proxy in iptables mode against the tool itself: what it takes from an event to rules in force, next to iptables-restore given the same
 * bytes, in turns. Services have two endpoints each. One JSON line per figure.
 * Run by `make bench`; by hand:
 * scripts/in-outer-namespace node bench/proxy-iptables.ts [SERVICES…]   IPTABLES_VARIANT=nft for the other variant, ROUNDS=n for more.
 */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import { SERVICES } from '../src/api/kinds.ts';
import type { KubeObject } from '../src/api/types.ts';
import { FakeClient } from '../src/client/fake-client.ts';
import { exec } from '../src/host/exec.ts';
import { createIptables, type Iptables, type IptablesVariant } from '../src/host/iptables.ts';
import { EMPTY_ENTRIES, openTableStamps } from '../src/host/xtables-info.ts';
import { silentLog } from '../src/lib/log.ts';
import { iptablesBackendOf } from '../src/proxy/iptables/backend.ts';
import type { Backend } from '../src/proxy/backend.ts';
import { runProxy, type RunningProxy } from '../src/proxy/run.ts';
import { quantile, report as reportFigure, type Figure } from './report.ts';

requireOuterNamespace();

const SIZES = [1000, 10_000];
const variant = (process.env['IPTABLES_VARIANT'] ?? 'legacy') as IptablesVariant;
const rounds = Number(process.env['ROUNDS'] ?? 0);

const ipOf = (at: number, low: number) => `10.${String(low)}.${String(Math.floor(at / 250))}.${String((at % 250) + 1)}`;

function serviceOf(at: number): KubeObject {
  const spec = { clusterIP: ipOf(at, 96), ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${String(at)}`, namespace: 'bench' }, ...{ spec } };
}

function sliceOf(at: number, generation: number): KubeObject {
  const labels = { 'kubernetes.io/service-name': `s${String(at)}` };
  const ips = [ipOf(at, 200), ipOf(at, generation % 2 === 0 ? 202 : 203)];
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `s${String(at)}-x`, namespace: 'bench', labels },
    ...{
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: ips.map((ip) => ({ addresses: [ip] })),
    },
  };
}

const real = createIptables(variant);

async function flush(): Promise<void> {
  for (const table of Object.keys(EMPTY_ENTRIES)) {
    for (const command of ['-F', '-X']) await exec(`iptables-${variant}`, ['-w', '5', '-t', table, command]);
  }
}

class Bench {
  readonly services: number;
  readonly client = new FakeClient();
  #written: (text: string) => void = () => undefined;
  #backend: Backend | undefined;
  #proxy: RunningProxy | undefined;
  #changes = 0;
  readonly #watched: Iptables = {
    ...real,
    restore: async (text) => {
      await real.restore(text);
      this.#written(text);
    },
  };

  constructor(services: number) {
    this.services = services;
    for (let at = 0; at < services; at++) {
      this.client.seed(serviceOf(at));
      this.client.seed(sliceOf(at, 0));
    }
  }

  report(figure: Figure): void {
    reportFigure({
      ...figure,
      figure: `proxy, iptables-${variant}, ${String(this.services)} Services of 2: ${figure.figure}`,
    });
  }

  /** Resolves with what was written. */
  nextWrite(): Promise<string> {
    return new Promise((resolve) => (this.#written = resolve));
  }

  /** With empty tables; resolves with what was written. */
  async start(): Promise<string> {
    const written = this.nextWrite();
    const stamps = await openTableStamps(variant, 'IPv4');
    this.#backend = iptablesBackendOf(this.#watched, { stamps });
    this.#proxy = runProxy({
      client: this.client,
      nodeName: 'bench',
      nodeIps: ['172.30.0.11'],
      mode: 'iptables',
      clusterCidr: '10.192.0.0/10',
      healthzBindAddress: '',
      metricsBindAddress: '',
      // no sync of its own accord in the middle of a measurement
      syncPeriod: 3_600_000,
      log: silentLog,
      host: { backend: () => Promise.resolve(this.#backend as Backend) },
    });
    await this.#proxy.synced;
    return written;
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
  }

  distrust(): void {
    this.#backend?.distrust();
  }

  /** One endpoint of one Service is another. */
  change(): void {
    // a Service again only after all others, and then with the other endpoint
    const generation = Math.floor(this.#changes / this.services) + 1;
    this.#changes++;
    this.client.seed(sliceOf((this.#changes * 37) % this.services, generation));
  }
}

const timed = async <T>(task: () => Promise<T>): Promise<{ ms: number; result: T }> => {
  const start = performance.now();
  const result = await task();
  return { ms: performance.now() - start, result };
};
/** Of the medians: single pairs say more about what else the machine did. */
const ratioOf = (samples: readonly number[], floor: readonly number[]) => [
  quantile(samples, 0.5) / quantile(floor, 0.5),
];

async function firstSync(bench: Bench): Promise<void> {
  const [samples, floor]: [number[], number[]] = [[], []];
  for (let round = 0; round < Math.max(5, rounds); round++) {
    await flush();
    const { ms, result: text } = await timed(() => bench.start());
    samples.push(ms);
    await bench.stop();
    await flush();
    floor.push((await timed(() => real.restore(text))).ms);
  }
  bench.report({ figure: 'first sync (floor: iptables-restore of the same bytes)', unit: 'ms', samples, floor });
  bench.report({ figure: 'first sync / iptables-restore', unit: 'ratio', samples: ratioOf(samples, floor) });
}

/** `event` changes one thing; `undo`, where given, takes it back before the tool is given the same bytes. */
async function partialSync(bench: Bench, what: string, event: () => void, undo?: () => void): Promise<void> {
  const [samples, floor]: [number[], number[]] = [[], []];
  const once = async (change: () => void) => {
    const { ms, result } = await timed(async () => {
      const written = bench.nextWrite();
      change();
      return written;
    });
    // the rest after a sync is over before the next change comes
    await pause(80);
    return { ms, text: result };
  };
  for (let round = 0; round < Math.max(11, rounds); round++) {
    const { ms, text } = await once(event);
    samples.push(ms);
    const back = undo && (await once(undo)).text;
    // its first lines make the chains it deletes, so it can be given again as it is
    floor.push((await timed(() => real.restore(text))).ms);
    if (back !== undefined) await real.restore(back);
    // to the proxy that was somebody else, so it looks for its rules, and holds the tool's lock meanwhile
    await pause(bench.services > 1000 ? 600 : 200);
  }
  bench.report({
    figure: `${what}: event to rules in force (floor: iptables-restore of the same bytes)`,
    unit: 'ms',
    samples,
    floor,
  });
  bench.report({
    figure: `${what}: event to rules in force / iptables-restore`,
    unit: 'ratio',
    samples: ratioOf(samples, floor),
    ...(variant === 'legacy' && { mustBeAtMost: 1.1 }),
  });
}

/** From the end of a foreign flush until the rules are back. */
async function foreignFlush(bench: Bench): Promise<void> {
  const samples: number[] = [];
  for (let round = 0; round < 5; round++) {
    const written = bench.nextWrite();
    await exec(`iptables-${variant}`, ['-w', '5', '-t', 'nat', '-F']);
    samples.push((await timed(() => written)).ms);
    await pause(200);
  }
  const goal = bench.services <= 1000 && variant === 'legacy' ? { mustBeAtMost: 200, statistic: 'max' as const } : {};
  bench.report({ figure: 'foreign flush of nat until the rules are back', unit: 'ms', samples, ...goal });
}

async function quiet(bench: Bench): Promise<void> {
  const seconds = 5;
  const before = process.cpuUsage();
  await pause(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  const percent = (user + system) / 1e4 / seconds;
  bench.report({ figure: 'CPU while nothing happens', unit: '%', samples: [percent], mustBeAtMost: 1 });
}

async function verify(bench: Bench): Promise<void> {
  const [samples, cpu]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage();
    bench.distrust();
    const written = bench.nextWrite();
    bench.change();
    samples.push((await timed(() => written)).ms);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
    await pause(100);
  }
  bench.report({ figure: 'reading the kernel and mending one chain', unit: 'ms', samples });
  bench.report({ figure: 'reading the kernel and mending one chain, CPU of the proxy', unit: 'ms', samples: cpu });
}

/** In a process that did nothing else. */
async function memory(services: number): Promise<void> {
  const bench = new Bench(services);
  await flush();
  await bench.start();
  bench.change();
  await pause(1000);
  const samples = [process.memoryUsage().rss / 1e6];
  const goal = services <= 10_000 ? { mustBeAtMost: 200 } : {};
  bench.report({ figure: 'resident memory, with the fake API server in it', unit: 'MB', samples, ...goal });
  await bench.stop();
}

async function measure(services: number): Promise<void> {
  const bench = new Bench(services);
  await firstSync(bench);
  await flush();
  await bench.start();
  await pause(500);
  await partialSync(bench, 'one endpoint changed', () => {
    bench.change();
  });
  const extra = { ...serviceOf(services), metadata: { name: 'm', namespace: 'bench' } };
  bench.client.seed({
    ...sliceOf(services, 0),
    metadata: { name: 'm-x', namespace: 'bench', labels: { 'kubernetes.io/service-name': 'm' } },
  });
  await pause(100);
  await partialSync(
    bench,
    'a Service came',
    () => void bench.client.seed(extra),
    () => void bench.client.delete(SERVICES, 'm', 'bench'),
  );
  await foreignFlush(bench);
  await quiet(bench);
  await verify(bench);
  await bench.stop();
}

const [task, size] = process.argv.slice(2);
if (task === 'memory') await memory(Number(size));
else if (task === 'time') await measure(Number(size));
else {
  const sizes = process.argv.slice(2).map(Number);
  for (const services of sizes.length > 0 ? sizes : SIZES) {
    // each in a process of its own, so that memory is that of one proxy
    for (const one of ['memory', 'time']) {
      const args = [fileURLToPath(import.meta.url), one, String(services)];
      const code = await new Promise((resolve) => {
        spawn(process.execPath, args, { stdio: 'inherit' }).once('exit', resolve);
      });
      if (code !== 0) process.exitCode = 1;
    }
  }
}
