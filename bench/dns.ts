/**
 * How fast and how large the DNS server is: queries a second and how long they take with 100, 10,000 and 100,000 Services, beside a responder in C
 * and one of bare Node that look at nothing, in turns; how soon a new Service is found; memory. One JSON line per figure.
 * Run by `make bench`: scripts/in-outer-namespace node bench/dns.ts [RUNS] [SECONDS]; four minutes. Needs dnsperf and gcc.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exec } from '../src/host/exec.ts';
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import { NAMESPACE } from './dns-api.ts';
import { eachOnce, latencies, losses, MANY, Prober, saturate, type Target } from './dns-load.ts';
import { report } from './report.ts';

requireOuterNamespace();

const RUNS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 3);
const SIZES = [100, 10_000, 100_000];
const MAIN_SIZE = 10_000;
const ENDPOINTS = 2;
const RATE = 20_000;
/** Under way at most where latencies are measured: as many as there are at that rate while each takes a millisecond; and as many as for rates. */
const UNDER_WAY = [20, MANY];
const MAKES = 100;
/** A start with this cache warm takes what every later start of a process takes. */
const COMPILE_CACHE = join(import.meta.dirname, '..', '.toolchain', 'compile-cache-bench');

const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'));
const children = new Set<ChildProcess>();

function start(file: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE, FAIRWAY_LOG_LEVEL: 'fatal' };
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  children.add(child);
  return child;
}

const ownNode = (file: string, ...args: readonly (string | number)[]) => {
  const flags = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, file)];
  return start(process.execPath, [...flags, ...args.map(String)]);
};

const firstLine = async (child: ChildProcess) => String((await once(child.stdout!, 'data'))[0]).trim();

async function stop(...all: readonly ChildProcess[]): Promise<void> {
  for (const child of all) {
    children.delete(child);
    if (child.exitCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

/** MB now, and the most there was. */
function memoryOf({ pid }: ChildProcess): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  return { rss: (kilobytes('VmRSS') * 1024) / 1e6, peak: (kilobytes('VmHWM') * 1024) / 1e6 };
}

interface Server {
  readonly size: number;
  readonly target: Target;
  /** Every name there is, once, in an order that has nothing to do with the server's. */
  readonly names: string;
  readonly api: string;
  readonly processes: readonly [dns: ChildProcess, api: ChildProcess];
}

let nextPort = 5300;
let started = 0;

/** As kubeadm writes it, with HTTP ports that no other has; nobody to forward to. */
const corefile = (first: number) => `.:53 {
    errors
    health 127.0.0.1:${String(first)}
    ready 127.0.0.1:${String(first + 1)}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:${String(first + 2)}
    forward . 127.0.0.1:${String(first + 3)}
    cache 30
    loadbalance
}
`;

const kubeconfig = (server: string) => `apiVersion: v1
kind: Config
current-context: bench
clusters: [{ name: bench, cluster: { server: "${server}" } }]
contexts: [{ name: bench, context: { cluster: bench, user: "" } }]
`;

/** The command as anybody runs it. */
async function serve(size: number): Promise<Server> {
  const target = { address: '127.0.0.1', port: nextPort++ };
  const apiProcess = ownNode('dns-api.ts', size, ENDPOINTS);
  const api = `http://127.0.0.1:${await firstLine(apiProcess)}`;
  const http = target.port + 1000 + 10 * started++;
  const files = { corefile: join(folder, 'Corefile'), kubeconfig: join(folder, 'kubeconfig') };
  writeFileSync(files.corefile, corefile(http));
  writeFileSync(files.kubeconfig, kubeconfig(api));
  const flags = ['--corefile', files.corefile, '--kubeconfig', files.kubeconfig];
  const socket = ['--bind', target.address, '--port', String(target.port)];
  const dns = start(join(import.meta.dirname, '..', 'bin', 'fairway'), ['dns', ...flags, ...socket]);
  const isReady = () =>
    fetch(`http://127.0.0.1:${String(http + 1)}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (dns.exitCode !== null) throw new Error(`the server ended with ${String(dns.exitCode)}`);
    await pause(20);
  }
  const names = join(folder, `names-${String(size)}`);
  const lines = Array.from(
    { length: size },
    (_, at) => `s${String((at * 7919) % size)}.${NAMESPACE}.svc.cluster.local A`,
  );
  writeFileSync(names, `${lines.join('\n')}\n`);
  return { size, target, names, api, processes: [dns, apiProcess] };
}

/** Milliseconds from when the API is told until the first answer. */
async function foundAfter({ target, api }: Server, prefix: string): Promise<number[]> {
  const prober = await new Prober().open(target);
  const times: number[] = [];
  for (let count = 0; count < MAKES; count++) {
    const name = `${prefix}-${String(count)}`;
    const found = prober.until(`${name}.${NAMESPACE}.svc.cluster.local.`);
    await pause(5);
    const begin = performance.now();
    const made = fetch(`${api}/make/${name}`, { method: 'POST' });
    await found;
    times.push(performance.now() - begin);
    await (await made).text();
  }
  prober.close();
  return times;
}

async function floors(): Promise<Record<'c' | 'node', Target>> {
  const echo = join(folder, 'echo');
  await exec('gcc', ['-O2', '-o', echo, join(import.meta.dirname, 'dns-echo.c')]);
  const [c, node] = [nextPort++, nextPort++].map((port) => ({ address: '127.0.0.1', port })) as [Target, Target];
  start(echo, [c.address, String(c.port)]);
  ownNode('dns-echo.ts', node.address, node.port);
  await pause(500);
  return { c, node };
}

async function measure(): Promise<void> {
  const floor = await floors();
  const servers: Server[] = [];
  for (const size of SIZES) servers.push(await serve(size));
  const rates = new Map<string, number[]>();
  const took = new Map<string, number[]>();
  const fresh: number[] = [];
  const freshUnderLoad: number[] = [];
  const add = (map: Map<string, number[]>, key: string, samples: readonly number[]) => {
    map.set(key, (map.get(key) ?? []).concat(samples));
  };
  const main = servers.find(({ size }) => size === MAIN_SIZE);
  if (!main) throw new Error('no server of the main size');
  // each name once before anything else counts
  for (const server of servers) add(rates, `first ${String(server.size)}`, [await eachOnce(server)]);
  for (let run = 0; run < RUNS; run++) {
    for (const [name, target] of Object.entries(floor)) {
      const load = { target, names: main.names, seconds: SECONDS };
      add(rates, name, [await saturate(load, true)]);
      for (const underWay of UNDER_WAY) {
        const each = await latencies(load, RATE, folder, { isFloor: true, underWay });
        add(took, `${name} ${String(underWay)}`, [p99(each)]);
      }
    }
    for (const { size, target, names } of servers) {
      const load = { target, names, seconds: SECONDS };
      add(rates, String(size), [await saturate(load)]);
      for (const underWay of UNDER_WAY) {
        const each = await latencies(load, RATE, folder, { underWay });
        add(took, `${String(size)} ${String(underWay)}`, [p99(each)]);
      }
    }
    fresh.push(...(await foundAfter(main, `fresh-${String(run)}`)));
    const busy = latencies({ ...main, seconds: SECONDS }, RATE, folder);
    freshUnderLoad.push(...(await foundAfter(main, `busy-${String(run)}`)));
    await busy;
  }
  const of = (map: Map<string, number[]>, key: string) => map.get(key) ?? [];
  report({ figure: 'floor: C echo', unit: 'QPS', samples: of(rates, 'c') });
  report({ figure: 'floor: bare Node dgram', unit: 'QPS', samples: of(rates, 'node') });
  for (const size of SIZES) {
    const figure = `cluster names, ${String(size)} Services`;
    report({ figure, unit: 'QPS', samples: of(rates, String(size)), floor: of(rates, 'node'), mustBeAtLeast: 80_000 });
  }
  const cold = `first question for each of ${String(SIZES.at(-1))} names`;
  report({ figure: cold, unit: 'QPS', samples: of(rates, `first ${String(SIZES.at(-1))}`) });
  for (const underWay of UNDER_WAY) {
    const figure = `p99 at ${String(RATE)} QPS, at most ${String(underWay)} under way`;
    const key = (name: string) => `${name} ${String(underWay)}`;
    report({ figure: `floor: C echo, ${figure}`, unit: 'ms', samples: of(took, key('c')) });
    const goal = underWay === UNDER_WAY[0] && { mustBeAtMost: 1 };
    for (const size of SIZES) {
      const samples = of(took, key(String(size)));
      report({
        figure: `${figure}, ${String(size)} Services`,
        unit: 'ms',
        samples,
        floor: of(took, key('node')),
        ...goal,
      });
    }
  }
  const none = { unit: '%', mustBeAtMost: 0, statistic: 'max' } as const;
  report({ figure: 'questions without an answer', samples: losses, ...none });
  const goal = { unit: 'ms', mustBeAtMost: 20, statistic: 'p99' } as const;
  report({ figure: 'Service made until its name is found', samples: fresh, ...goal });
  report({ figure: `the same at ${String(RATE)} QPS`, samples: freshUnderLoad, ...goal });
  for (const server of servers) await stop(...server.processes);
}

async function weigh(): Promise<void> {
  const now: number[] = [];
  const peaks: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const { target, names, processes } = await serve(MAIN_SIZE);
    await eachOnce({ target, names });
    await saturate({ target, names, seconds: SECONDS });
    await pause(1000);
    const { rss, peak } = memoryOf(processes[0]);
    // the first strips the types, which no start after it does
    if (run === 0) {
      await stop(...processes);
      continue;
    }
    now.push(rss);
    peaks.push(peak);
    await stop(...processes);
  }
  const size = `${String(MAIN_SIZE)} Services of ${String(ENDPOINTS)}, every name asked`;
  report({ figure: `memory (RSS), ${size}`, unit: 'MB', samples: now, mustBeAtMost: 120 });
  report({ figure: `the most memory for a moment, ${size}`, unit: 'MB', samples: peaks });
}

const p99 = (samples: readonly number[]): number => {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
};

try {
  await measure();
  await weigh();
} finally {
  await stop(...children);
  rmSync(folder, { recursive: true, force: true });
}
