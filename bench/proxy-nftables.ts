/**
 * The proxy in nftables mode: what it takes from an event to rules in force, next to the kernel's own time for the same. One JSON line per figure.
 * Run by `make bench`; by hand:
 * scripts/in-outer-namespace node bench/proxy-nftables.ts [change | scale | flush | cold | shape | memory | connect] [SERVICES…]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import type { SetElement } from '../src/host/netlink/nf-tables.ts';
import { exec } from '../src/host/exec.ts';
import { keepYoungHeapSmall } from '../src/host/process-memory.ts';
import { loadScale, measureConnects } from './nftables-connect.ts';
import { NftablesBench, timed, type Written } from './nftables-cluster.ts';
import { kubeProxyShaped } from './nftables-shape.ts';
import { report } from './report.ts';

requireOuterNamespace();

const [what = 'all', ...sizes] = process.argv.slice(2);
const rounds = Number(process.env['ROUNDS'] ?? 0);
const SIZES = sizes.length > 0 ? sizes.map(Number) : [1000, 10_000, 30_000];

/** Where bin/fairway keeps it too. */
const COMPILE_CACHE = fileURLToPath(new URL('../.toolchain/compile-cache', import.meta.url));

/** What an event takes, and in turns what one commit of the same elements takes by itself. */
async function change(services: number): Promise<void> {
  const bench = new NftablesBench(services, 2);
  await bench.clear();
  const known = new Map<string, SetElement>();
  await bench.start();
  const elements = await bench.tables.dump('ip', 'kube-proxy', 'service-endpoints');
  learn(known, { changes: [{ op: 'add', set: 'service-endpoints', elements }] });
  const [samples, floor]: [number[], number[]] = [[], []];
  for (let round = 0; round < Math.max(200, rounds); round++) {
    const { ms, result } = await timed(() => {
      const written = bench.nextWrite();
      bench.change();
      return written;
    });
    samples.push(ms);
    const undo = inverse(known, result);
    learn(known, result);
    await bench.tables.commit('ip', 'kube-proxy', undo.changes);
    floor.push((await timed(() => bench.tables.commit('ip', 'kube-proxy', result.changes))).ms);
    // the rest after a sync is over before the next change comes
    await pause(20);
  }
  await bench.stop();
  await bench.clear();
  bench.close();
  const figure = `nftables, ${String(services)} Services of 2: one endpoint changed, from the event to the rules in force (floor: one commit of the same elements)`;
  report({ figure, unit: 'ms', samples: samples.slice(5), floor: floor.slice(5), mustBeAtMost: 10 });
  report({ figure: `${figure}, p99`, unit: 'ms', samples: samples.slice(5), mustBeAtMost: 25, statistic: 'p99' });
}

/** A count that changes is a verdict that changes, and then the kernel looks at every verdict of the map. */
async function scale(services: number): Promise<void> {
  const bench = new NftablesBench(services, 2);
  await bench.clear();
  await bench.start();
  const samples: number[] = [];
  for (let round = 0; round < Math.max(105, rounds); round++) {
    await pause(20);
    const { ms } = await timed(() => {
      const written = bench.nextWrite();
      bench.scale();
      return written;
    });
    if (round >= 5) samples.push(ms);
  }
  await bench.stop();
  await bench.clear();
  bench.close();
  const figure = `nftables, ${String(services)} Services of 2: one endpoint more or less, from the event to the rules in force`;
  report({ figure, unit: 'ms', samples, mustBeAtMost: 10 });
  report({ figure: `${figure}, p99`, unit: 'ms', samples, mustBeAtMost: 25, statistic: 'p99' });
}

/** From the end of a foreign flush until packets are translated again. */
async function flush(services: number): Promise<void> {
  const bench = new NftablesBench(services, 2);
  await bench.clear();
  await bench.start();
  const samples: number[] = [];
  for (let round = 0; round < Math.max(7, rounds); round++) {
    await pause(300);
    const live = bench.nextLive();
    await bench.nft.load('flush ruleset\n');
    samples.push((await timed(() => live)).ms);
  }
  await bench.stop();
  await bench.clear();
  bench.close();
  report({
    figure: `nftables, ${String(services)} Services of 2: from a foreign flush to all rules in force again`,
    unit: 'ms',
    samples,
    ...(services <= 10_000 && { mustBeAtMost: 200, statistic: 'max' as const }),
  });
}

const keyOf = (set: string, { key, keyEnd }: SetElement) =>
  `${set} ${Buffer.from(key).toString('hex')} ${Buffer.from(keyEnd ?? []).toString('hex')}`;

function learn(known: Map<string, SetElement>, { changes }: Written): void {
  for (const { op, set, elements } of changes)
    for (const element of elements) {
      if (op === 'add') known.set(keyOf(set, element), element);
    }
}

function inverse(known: ReadonlyMap<string, SetElement>, { changes }: Written): Written {
  const deletes = changes.filter((one) => one.op === 'add').map((one) => ({ ...one, op: 'delete' as const }));
  const adds = changes
    .filter((one) => one.op === 'delete')
    .map(({ set, elements }) => ({
      op: 'add' as const,
      set,
      elements: elements.map((one) => known.get(keyOf(set, one)) ?? one),
    }));
  return { changes: [...deletes, ...adds] };
}

/** From nothing to all rules in force, and the same text by the command. */
async function cold(services: number, endpoints: number): Promise<void> {
  const bench = new NftablesBench(services, endpoints);
  const [samples, starts, floor]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= Math.max(5, rounds); round++) {
    await bench.clear();
    const { ms, result: sync } = await timed(() => bench.start());
    const text = await bench.nft.list('ip', 'kube-proxy');
    await bench.stop();
    await bench.clear();
    const { ms: byCommand } = await timed(() => bench.nft.load(text));
    // the first warms up
    if (round === 0) continue;
    samples.push(sync);
    starts.push(ms);
    floor.push(byCommand);
  }
  await bench.clear();
  bench.close();
  const size = `${String(services)} Services of ${String(endpoints)}`;
  report({
    figure: `nftables, ${size}: full sync of an empty kernel, planning included (floor: nft -f of the same text)`,
    unit: 'ms',
    samples,
    floor,
    mustBeAtMost: 500,
  });
  report({ figure: `nftables, ${size}: the same with both lists read`, unit: 'ms', samples: starts });
}

/** 2,000 x 10 against a chain for each Service and endpoint. Never more: it is quadratic and holds up the kernel. */
async function shape(): Promise<void> {
  const bench = new NftablesBench(2000, 10);
  const text = kubeProxyShaped(2000, 10);
  const [samples, floor]: [number[], number[]] = [[], []];
  for (let round = 0; round < Math.max(5, rounds); round++) {
    await bench.clear();
    samples.push(await bench.start());
    await bench.stop();
    await bench.clear();
    floor.push((await timed(() => bench.nft.load(text))).ms);
  }
  await bench.clear();
  bench.close();
  report({
    figure: 'nftables, 2000 Services of 10: all rules (floor: one chain for each Service and endpoint)',
    unit: 'ms',
    samples,
    floor,
  });
  report({
    figure: 'nftables, 2000 Services of 10: all rules / one chain for each Service and endpoint',
    unit: 'ratio',
    samples: samples.map((one, at) => one / (floor[at] ?? Number.NaN)),
    mustBeAtMost: 0.1,
  });
}

/** In a process of its own, which holds nothing but the proxy and the objects it was given. */
async function memory(services: number, endpoints: number, limit: number): Promise<void> {
  const samples: number[] = [];
  for (let round = 0; round <= Math.max(5, rounds); round++) {
    const { stdout } = await exec(
      process.execPath,
      [fileURLToPath(import.meta.url), 'memory-of', String(services), String(endpoints)],
      { timeout: 120_000, env: { NODE_COMPILE_CACHE: COMPILE_CACHE } },
    );
    // the first strips the types, which no start after it does
    if (round > 0) samples.push(Number(stdout.trim()));
  }
  report({
    figure: `nftables, ${String(services)} Services of ${String(endpoints)}: memory of the proxy (RSS) after 100 changes and a foreign one`,
    unit: 'MB',
    samples,
    mustBeAtMost: limit,
  });
}

async function memoryOf(services: number, endpoints: number): Promise<void> {
  // as `fairway proxy` does
  keepYoungHeapSmall();
  const bench = new NftablesBench(services, endpoints);
  await bench.clear();
  await bench.start();
  for (let round = 0; round < 100; round++) {
    const written = bench.nextWrite();
    bench.change();
    await written;
    await pause(10);
  }
  const mended = bench.nextWrite();
  await bench.nft.load('add element ip kube-proxy cluster-ips { 9.9.9.9 }\n');
  await mended;
  await pause(1000);
  process.stdout.write(`${String(Math.round(process.memoryUsage.rss() / 1e6))}\n`);
  await bench.stop();
  await bench.clear();
  bench.close();
}

async function connects(services: number): Promise<void> {
  await loadScale(services);
  const { direct, throughService } = await measureConnects(Math.max(7, rounds));
  report({
    figure: `nftables, ${String(services)} Services: connect() to a cluster IP (floor: to the endpoint itself)`,
    unit: 'us',
    samples: throughService,
    floor: direct,
  });
  report({
    figure: `nftables, ${String(services)} Services: connect() to a cluster IP / to the endpoint itself`,
    unit: 'ratio',
    samples: throughService.map((one, at) => one / (direct[at] ?? Number.NaN)),
    mustBeAtMost: 1.3,
  });
}

const wants = (name: string) => what === 'all' || what === name;
if (what === 'memory-of') await memoryOf(Number(sizes[0]), Number(sizes[1]));
if (wants('change')) for (const size of SIZES) await change(size);
if (wants('scale')) for (const size of SIZES) await scale(size);
if (wants('flush')) for (const size of SIZES) await flush(size);
if (wants('cold')) {
  await cold(10_000, 2);
  await cold(5000, 10);
}
if (wants('shape')) await shape();
if (wants('memory')) {
  await memory(10_000, 2, 200);
  await memory(30_000, 4, 450);
}
if (wants('connect')) await connects(sizes.length > 0 ? Number(sizes[0]) : 30_000);
