/**
 * How fast and how large the API server is: durable writes beside etcd's own, lists, one write to many watchers, memory, start.
 * Run by `make bench` (or scripts/in-outer-namespace node bench/apiserver.ts [FOLDER]; FOLDER decides which disk). About a minute.
 *
 * Each run has a server process of its own over an empty SQLite file; its clients are processes too, over TLS with connections kept.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates, pkiPaths } from '../src/cluster/certificates.ts';
import type { Job, Measured } from './apiserver-load.ts';
import { Etcd } from './etcd-puts.ts';
import { RawConnection, type Address } from './raw-https.ts';
import { quantile, report } from './report.ts';

const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);
const PORT = 16443;
const ETCD_PORT = 12379;
/** Services made to warm up, one by one, and by 16 clients: together the 5,000 that the lists find. */
const COUNTS = { warmUp: 500, one: 1500, many: 3000, puts: 2000, lists: 20, writes: 200, writesToMany: 100 };

/** As bin/fairway starts a server. */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'];
const compileCache = join(import.meta.dirname, '../.toolchain/compile-cache');

async function startServer(folder: string, address: Address): Promise<{ child: ChildProcess; readyAfter: number }> {
  const begin = performance.now();
  const entry = join(import.meta.dirname, 'apiserver-process.ts');
  const child = spawn(process.execPath, [...NODE_FLAGS, entry, folder, String(PORT)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  while (!(await isReady(address))) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${String(child.exitCode)}`);
    if (performance.now() - begin > 20_000) throw new Error('the server is not ready after 20 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { child, readyAfter: performance.now() - begin };
}

async function isReady(address: Address): Promise<boolean> {
  try {
    const connection = await RawConnection.open(address);
    const { status } = await connection.request('GET', '/readyz');
    connection.close();
    return status === 200;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function load(address: Address, job: Job): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const entry = join(import.meta.dirname, 'apiserver-load.ts');
    const child = spawn(process.execPath, [entry, JSON.stringify({ address, job })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(output).toString()) as Measured);
      else reject(new Error(`${job.do}: the client ended with ${String(code)}`));
    });
  });
}

/** MB (10^6 bytes) the process has in memory. */
function residentOf(child: ChildProcess): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}

const rate = ({ times, total }: { times: readonly number[]; total: number }) => times.length / (total / 1000);

const samples = {
  ready: [] as number[],
  idle: [] as number[],
  loaded: [] as number[],
  one: [] as Measured[],
  many: [] as Measured[],
  etcdOne: [] as { times: number[]; total: number }[],
  etcdMany: [] as { times: number[]; total: number }[],
  lists: [] as number[],
  tables: [] as number[],
  watch100: [] as number[],
  watch1000: [] as number[],
};

async function prepare(folder: string): Promise<Address> {
  await ensureCertificates(folder, [
    { file: 'apiserver', commonName: 'kube-apiserver', use: 'server', ips: ['127.0.0.1'] },
    { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
  ]);
  const pki = pkiPaths(folder);
  const read = (path: string) => readFileSync(path, 'utf8');
  return { port: PORT, ca: read(pki.ca), cert: read(pki.cert('admin')), key: read(pki.key('admin')) };
}

/** A first start compiles what later ones find compiled, in 30 MB that are not given back: as after every change of the program, and only then. */
async function warmCompileCache(folder: string): Promise<void> {
  const { child } = await startServer(folder, await prepare(folder));
  await stop(child);
}

async function run(folder: string, number: number): Promise<void> {
  const address = await prepare(folder);
  const etcd = await Etcd.start(folder, ETCD_PORT);
  const { child, readyAfter } = await startServer(folder, address);
  try {
    samples.ready.push(readyAfter);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    samples.idle.push(residentOf(child));
    await load(address, { do: 'create', clients: 1, count: COUNTS.warmUp, name: 'warm-up' });
    samples.etcdOne.push(await etcd.puts(1, COUNTS.puts));
    samples.one.push(
      await load(address, { do: 'create', clients: 1, count: COUNTS.one, name: `one${String(number)}` }),
    );
    samples.etcdMany.push(await etcd.puts(16, 2 * COUNTS.puts));
    samples.many.push(
      await load(address, { do: 'create', clients: 16, count: COUNTS.many, name: `many${String(number)}` }),
    );
    const list: Job = { do: 'list', count: COUNTS.lists, accept: 'application/json' };
    samples.lists.push(...(await load(address, list)).times);
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    samples.tables.push(...(await load(address, { ...list, accept: table })).times);
    samples.loaded.push(residentOf(child));
    samples.watch100.push(...(await load(address, { do: 'watch', watchers: 100, writes: COUNTS.writes })).times);
    samples.watch1000.push(
      ...(await load(address, { do: 'watch', watchers: 1000, writes: COUNTS.writesToMany })).times,
    );
  } finally {
    await stop(child);
    await etcd.stop();
  }
}

async function runs(): Promise<void> {
  const parent = process.argv[2] ?? tmpdir();
  for (let number = -1; number < RUNS; number++) {
    const folder = mkdtempSync(join(parent, 'fairway-bench-'));
    try {
      if (number < 0) await warmCompileCache(folder);
      else await run(folder, number);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

await runs();
const pooled = (measured: readonly { times: number[] }[]) => measured.flatMap(({ times }) => times);
report({
  figure: 'create Service, 1 client',
  unit: '1/s',
  samples: samples.one.map(rate),
  floor: samples.etcdOne.map(rate),
  mustBeAtLeast: 900,
  note: 'floor: puts of 900 bytes into etcd',
});
report({
  figure: 'create Service, 1 client, each',
  unit: 'ms',
  samples: pooled(samples.one),
  floor: pooled(samples.etcdOne),
  mustBeAtMost: 5,
  statistic: 'p99',
  note: `p99 of the floor: ${quantile(pooled(samples.etcdOne), 0.99).toFixed(2)} ms`,
});
report({
  figure: 'create Service, 16 clients',
  unit: '1/s',
  samples: samples.many.map(rate),
  floor: samples.etcdMany.map(rate),
  mustBeAtLeast: 2200,
  note: 'floor: puts of 900 bytes into etcd, 16 at a time',
});
report({
  figure: 'create Service, 16 clients, each',
  unit: 'ms',
  samples: pooled(samples.many),
  floor: pooled(samples.etcdMany),
  mustBeAtMost: 15,
  statistic: 'p99',
  note: `p99 of the floor: ${quantile(pooled(samples.etcdMany), 0.99).toFixed(2)} ms`,
});
report({ figure: 'list of 5,000 Services, JSON', unit: 'ms', samples: samples.lists, mustBeAtMost: 20 });
report({ figure: 'list of 5,000 Services, Table', unit: 'ms', samples: samples.tables });
report({
  figure: 'one write until the last of 100 watchers knows',
  unit: 'ms',
  samples: samples.watch100,
  mustBeAtMost: 8,
  statistic: 'p99',
});
report({
  figure: 'one write until the last of 1,000 watchers knows',
  unit: 'ms',
  samples: samples.watch1000,
  mustBeAtMost: 50,
  statistic: 'p99',
});
report({ figure: 'resident memory, idle', unit: 'MB', samples: samples.idle, mustBeAtMost: 120, statistic: 'max' });
report({
  figure: 'resident memory with 5,000 Services after lists',
  unit: 'MB',
  samples: samples.loaded,
  mustBeAtMost: 250,
  statistic: 'max',
});
report({ figure: 'start of the process until /readyz says ok', unit: 'ms', samples: samples.ready, mustBeAtMost: 500 });
