/**
 * One machine of the kernel world, as a process: answers on the ports it is told with its name and whom it saw, and sends probes.
 * Orders come as JSON lines on standard input, and results go out the same way as soon as they are there, each with the number of
 * its order. `station.ts NAME PORT…`.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Probe {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Stop when all of these have answered. */
  readonly until: readonly string[];
  readonly tries: number;
  /** Bytes of the question, UDP only; default 1. */
  readonly size?: number;
  /** Source port, UDP only: the same one is the same flow. */
  readonly from?: number;
  /** ms without any answer that count as DROP. */
  readonly timeout: number;
}

export interface Order {
  readonly id: number;
  readonly probe: Probe;
}

export interface Done {
  readonly id: number;
  readonly result: ProbeResult;
}

/** `NAME:PORT SEEN` for each kind of answer, or REJECT, or DROP. */
export type ProbeResult = readonly string[];

const [name = '', ...ports] = process.argv.slice(2);

function listen(port: number): Promise<unknown> {
  // an IPv4 client of a socket for both families
  const says = (seen: string) => `${name}:${String(port)} ${seen.replace(/^::ffff:/, '')}`;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(says(socket.remoteAddress ?? ''));
  });
  const udp = createSocket({ type: 'udp6' }, (_message, from) => {
    udp.send(says(from.address), from.port, from.address);
  });
  return Promise.all([
    new Promise<void>((resolve) => server.listen(port, '::', resolve)),
    new Promise<void>((resolve) => udp.bind(port, '::', resolve)),
  ]);
}

/** Node has no sockets for SCTP. Programs of a few lines have: those of the kernel, or raw ones where it only tracks and translates it. */
const hasSctp = existsSync('/proc/net/sctp');
const SCTP = fileURLToPath(new URL(`../../../test/support/${hasSctp ? 'uml' : 'raw'}-sctp.py`, import.meta.url));

async function listenSctp(): Promise<void> {
  if (ports.length === 0) return;
  if (hasSctp) await Promise.all(ports.map((port) => serveSctp(`${name}:${port}`, port)));
  else await serveSctp(name, ...ports);
}

function serveSctp(...args: string[]): Promise<void> {
  const child = spawn('python3', [SCTP, 'serve', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  return new Promise((resolve) =>
    child.stdout.once('data', () => {
      resolve();
    }),
  );
}

/** Asks one question after the other; started with the first. */
let sctpAsker:
  { child: ChildProcessByStdio<Writable, Readable, null>; answers: ((text: string) => void)[] } | undefined;

function askSctp({ host, port, timeout }: Probe): Promise<string> {
  sctpAsker ??= startSctpAsker();
  const { child, answers } = sctpAsker;
  child.stdin.write(`${host} ${String(port)} ${String(timeout / 1000)}\n`);
  return new Promise((resolve) => answers.push(resolve));
}

function startSctpAsker(): NonNullable<typeof sctpAsker> {
  const child = spawn('python3', [SCTP, 'ask'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers: ((text: string) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => answers.shift()?.(line));
  process.on('exit', () => child.kill());
  return { child, answers };
}

function askTcp({ host, port, timeout }: Probe): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port });
    const timer = setTimeout(() => {
      socket.destroy();
      resolve('DROP');
    }, timeout);
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve(error.code === 'ECONNREFUSED' ? 'REJECT' : (error.code ?? 'error'));
    });
    socket.on('end', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

function askUdp({ host, port, timeout, from, size = 1 }: Probe): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => {
      end('DROP');
    }, timeout);
    const end = (result: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(error.code === 'ECONNREFUSED' ? 'REJECT' : (error.code ?? 'error'));
    });
    socket.on('message', (message) => {
      end(message.toString());
    });
    // connected, so that an ICMP error reaches us
    socket.bind(from ?? 0, () => {
      socket.connect(port, host, () => {
        socket.send('?'.repeat(size));
      });
    });
  });
}

const ASK = { TCP: askTcp, UDP: askUdp, SCTP: askSctp } as const;

async function run(probe: Probe): Promise<ProbeResult> {
  const seen = new Set<string>();
  for (let tries = 0; tries < probe.tries; tries++) {
    const answer = await ASK[probe.protocol](probe);
    seen.add(answer);
    const names = [...seen].map((one) => one.split(' ')[0] ?? '');
    // who waits for an answer that never comes need not wait for it again
    if (answer === 'DROP' || probe.until.every((one) => names.includes(one))) break;
  }
  return [...seen].sort();
}

async function answer({ id, probe }: Order): Promise<void> {
  const done: Done = { id, result: await run(probe) };
  process.stdout.write(`${JSON.stringify(done)}\n`);
}

if (import.meta.main) {
  await Promise.all(ports.map((port) => listen(Number(port))));
  await listenSctp();
  process.stdout.write('"ready"\n');
  for await (const line of createInterface({ input: process.stdin })) {
    void answer(JSON.parse(line) as Order);
  }
  process.exit(0);
}
