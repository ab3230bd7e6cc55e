/**
 * What the process of a proxy takes with many Services, in each mode this kernel has the means for: after the first sync, some changes and a look at
 * everything, with an API that keeps nothing in the same process. One JSON line per figure.
 * Run by `make bench`; by hand:
 * scripts/in-outer-namespace node bench/proxy-memory.ts [MODE…]
 * In ipvs mode it takes another kernel: docs/performance.md says how.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import { ENDPOINT_SLICES, SERVICES } from '../src/api/kinds.ts';
import { exec } from '../src/host/exec.ts';
import { keepYoungHeapSmall } from '../src/host/process-memory.ts';
import { silentLog } from '../src/lib/log.ts';
import type { ProxyMode } from '../src/proxy/backend.ts';
import { cleanup } from '../src/proxy/cleanup.ts';
import { runProxy } from '../src/proxy/run.ts';
import { GeneratedClient } from './generated-client.ts';
import { serviceOf, sliceOf } from './nftables-cluster.ts';
import { report } from './report.ts';

requireOuterNamespace();

/** A start with this cache warm takes what every later start of a process takes. */
const COMPILE_CACHE = join(import.meta.dirname, '..', '.toolchain', 'compile-cache-bench');
const RUNS = 3;
const SIZES = [
  { services: 10_000, endpoints: 2, limit: 200 },
  { services: 30_000, endpoints: 4, limit: 450 },
];

async function memoryOf(mode: ProxyMode, services: number, endpoints: number): Promise<void> {
  // as `fairway proxy` does
  keepYoungHeapSmall();
  const numbers = Array.from({ length: services }, (_, at) => at);
  const client = new GeneratedClient((kind) => {
    if (kind === SERVICES) return numbers.map((at) => serviceOf(at));
    return kind === ENDPOINT_SLICES ? numbers.map((at) => sliceOf(at, endpoints)) : [];
  });
  const proxy = runProxy({
    client,
    nodeName: 'bench',
    nodeIps: ['172.30.0.11'],
    mode,
    healthzBindAddress: '',
    metricsBindAddress: '',
    syncPeriod: 5_000,
    log: silentLog,
  });
  await proxy.synced;
  for (let round = 1; round <= 20; round++) {
    client.change(ENDPOINT_SLICES, sliceOf(round * 7, endpoints, round));
    await pause(100);
  }
  // a look at everything falls in here
  await pause(12_000);
  const [, peak = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  process.stdout.write(
    `${JSON.stringify({ rss: process.memoryUsage.rss() / 1e6, peak: (Number(peak) * 1024) / 1e6 })}\n`,
  );
  await proxy.stop();
  await cleanup({ log: silentLog });
  process.exit(0);
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'memory-of') {
  const [mode, services, endpoints] = rest;
  await memoryOf(mode as ProxyMode, Number(services), Number(endpoints));
} else {
  const modes = first === undefined ? ['nftables', 'iptables', 'userspace'] : [first, ...rest];
  for (const mode of modes) {
    for (const { services, endpoints, limit } of SIZES) {
      const samples: number[] = [];
      const peaks: number[] = [];
      for (let run = 0; run <= RUNS; run++) {
        const args = [fileURLToPath(import.meta.url), 'memory-of', mode, String(services), String(endpoints)];
        const { stdout } = await exec(process.execPath, args, {
          timeout: 300_000,
          env: { NODE_COMPILE_CACHE: COMPILE_CACHE },
        });
        // the first strips the types, which no start after it does
        if (run === 0) continue;
        const { rss, peak } = JSON.parse(stdout) as { rss: number; peak: number };
        samples.push(Math.round(rss));
        peaks.push(Math.round(peak));
      }
      report({
        figure: `${mode}, ${String(services)} Services of ${String(endpoints)}: memory of the proxy (RSS)`,
        unit: 'MB',
        samples,
        mustBeAtMost: limit,
      });
      report({
        figure: `${mode}, ${String(services)} Services of ${String(endpoints)}: the most memory it took for a moment`,
        unit: 'MB',
        samples: peaks,
      });
    }
  }
}
