/**
 * Connections a second through the TCP relay of userspace mode, against haproxy in TCP mode with one thread, in turns, before the same
 * endpoints and the same clients; and the processor time each spends on a connection. One JSON line per figure.
 * Run by `make bench`: scripts/in-outer-namespace node bench/proxy-userspace.ts [RUNS] [SECONDS] [CLIENTS]
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { exec } from '../src/host/exec.ts';
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import type { Load, LoadResult } from './connection-load.ts';
import { quantile, report } from './report.ts';

requireOuterNamespace();

const RUNS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 2);
const CLIENTS = Number(process.argv[4] ?? 8);
const ENDPOINTS = ['127.0.0.2:8001', '127.0.0.3:8001', '127.0.0.4:8001'];
const PORTS = { haproxy: 8100, relay: 8200 } as const;

// connections are over in a blink, and all their ports would wait for a minute
await exec('sysctl', ['-qw', 'net.ipv4.ip_local_port_range=10000 65000', 'net.ipv4.tcp_tw_reuse=1']);

const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'));
const children: ChildProcess[] = [];

function start(file: string, args: readonly string[]): ChildProcess {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

function haproxy(name: string, text: string): ChildProcess {
  const path = join(folder, name);
  const common = [
    'global',
    ' nbthread 1',
    ' maxconn 4000',
    'defaults',
    ' timeout connect 5s',
    ' timeout client 1m',
    ' timeout server 1m',
  ];
  writeFileSync(path, `${common.join('\n')}\n${text}\n`);
  return start('haproxy', ['-db', '-f', path]);
}

/** Waits until something listens. */
async function answers(address: string, port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, address);
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    if (tries > 100) throw new Error(`nothing listens on ${address}:${String(port)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Microseconds of processor time so far, of all threads. */
function processorTime(pid: number): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function load(address: string, port: number): Promise<LoadResult> {
  const workerData: Load = { address, port, seconds: SECONDS, request: 'GET / HTTP/1.0\r\n\r\n' };
  const results = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const worker = new Worker(fileURLToPath(new URL('connection-load.ts', import.meta.url)), { workerData });
      const [result] = (await once(worker, 'message')) as [LoadResult];
      await worker.terminate();
      return result;
    }),
  );
  return {
    connections: results.reduce((sum, one) => sum + one.connections, 0),
    failed: results.reduce((sum, one) => sum + one.failed, 0),
  };
}

try {
  const binds = ENDPOINTS.map((address) => ` bind ${address}`).join('\n');
  haproxy(
    'endpoints.cfg',
    `frontend all\n mode http\n${binds}\n http-request return status 200 content-type text/plain string hello`,
  );
  const servers = ENDPOINTS.map((address, at) => ` server s${String(at)} ${address}`).join('\n');
  const other = haproxy(
    'proxy.cfg',
    `listen all\n mode tcp\n bind 127.0.0.1:${String(PORTS.haproxy)}\n balance roundrobin\n${servers}`,
  );
  const relay = fileURLToPath(new URL('../src/proxy/userspace/test-relay.ts', import.meta.url));
  const ours = start(process.execPath, [relay, String(PORTS.relay), ...ENDPOINTS]);
  await Promise.all([answers('127.0.0.2', 8001), ...Object.values(PORTS).map((port) => answers('127.0.0.1', port))]);

  const ways = [
    { name: 'direct', address: '127.0.0.2', port: 8001, pid: undefined },
    { name: 'haproxy', address: '127.0.0.1', port: PORTS.haproxy, pid: other.pid },
    { name: 'relay', address: '127.0.0.1', port: PORTS.relay, pid: ours.pid },
  ];
  const rates: Record<string, number[]> = {};
  const costs: Record<string, number[]> = {};
  let failures = 0;
  for (let run = 0; run <= RUNS; run++) {
    for (const { name, address, port, pid } of ways) {
      const before = pid === undefined ? 0 : processorTime(pid);
      const { connections, failed } = await load(address, port);
      failures += failed;
      // the first round warms up
      if (run === 0) continue;
      (rates[name] ??= []).push(connections / SECONDS);
      if (pid !== undefined) (costs[name] ??= []).push((processorTime(pid) - before) / connections);
    }
  }
  const figure = `userspace, ${String(CLIENTS)} clients at a time`;
  for (const { name } of ways) {
    report({ figure: `${figure}: connections a second, ${name}`, unit: '1/s', samples: rates[name] ?? [] });
  }
  for (const name of ['haproxy', 'relay']) {
    report({ figure: `${figure}: processor time for a connection, ${name}`, unit: 'µs', samples: costs[name] ?? [] });
  }
  const ratios = (rates['relay'] ?? []).map((rate, at) => rate / (rates['haproxy']?.[at] ?? Number.NaN));
  report({
    figure: `${figure}: relay ÷ haproxy`,
    unit: '',
    samples: ratios,
    note: `goal: median >= 0.5, reached: ${String(quantile(ratios, 0.5) >= 0.5)}; failed connections: ${String(failures)}`,
  });
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
}
