/**
 * A client that opens a new connection every few milliseconds, whatever became of those before, and keeps books: the process, and the
 * handle of a test on it. `steady-client.ts TCP|UDP HOST PORT MILLISECONDS`; a line `report` on standard input asks for a report of the time since
 * the last one, as a JSON line; `settle` for a line once all attempts under way have ended; `timeout MS` says when attempts from then on count as failed.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface SteadyReport {
  readonly attempts: number;
  /** `at` is ms since the epoch when the attempt began. */
  readonly failures: readonly { readonly at: number; readonly ms: number; readonly error: string }[];
  /** Answered, but only after a lost packet was sent again: longer than SLOW ms. */
  readonly slow: readonly { readonly at: number; readonly ms: number }[];
  /** Of all that were answered, how long the slowest took, ms. */
  readonly slowest: number;
  /** Who answered how often. */
  readonly answers: Readonly<Record<string, number>>;
}

/** ms. A SYN that gets lost is sent again after a second. */
const SLOW = 800;
/** ms after which an attempt counts as failed, where nothing else is said. */
const TIMEOUT = 3000;

export class SteadyClient {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((line: string) => void)[] = [];

  /** In the network namespace of that name. `every`: ms. */
  constructor(
    namespace: string,
    {
      host,
      port,
      protocol = 'TCP',
      every = 5,
    }: { host: string; port: number; protocol?: 'TCP' | 'UDP'; every?: number },
  ) {
    const script = fileURLToPath(import.meta.url);
    const args = [process.execPath, script, protocol, host, String(port), String(every)];
    this.#child = spawn('nsenter', [`--net=/run/netns/${namespace}`, ...args], { stdio: 'pipe' });
    this.#child.stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
  }

  /** Of everything since the last report; waits for attempts under way. */
  report(): Promise<SteadyReport> {
    return new Promise((resolve) => {
      this.#waiting.push((line) => {
        resolve(JSON.parse(line) as SteadyReport);
      });
      this.#child.stdin.write('report\n');
    });
  }

  /** Resolves when all attempts that are under way now have ended. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        resolve();
      });
      this.#child.stdin.write('settle\n');
    });
  }

  /** ms after which attempts from now on count as failed. */
  setTimeout(ms = TIMEOUT): void {
    this.#child.stdin.write(`timeout ${String(ms)}\n`);
  }

  stop(): void {
    this.#child.stdin.end();
  }
}

interface Result {
  readonly error?: string;
  readonly answer?: string;
}

/** A question from a port of its own: what is lost is not asked again. */
function askUdp(host: string, port: number, timeout: number): Promise<Result> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (result: Result) => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => {
      end({ error: 'no answer' });
    }, timeout);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end({ error: error.code ?? error.message });
    });
    socket.on('message', (message) => {
      end({ answer: message.toString().split(':')[0] ?? '' });
    });
    // connected, so that an ICMP error reaches us
    socket.connect(port, host, () => {
      socket.send('?');
    });
  });
}

function askTcp(host: string, port: number, timeout: number): Promise<Result> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port });
    socket.setTimeout(timeout, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ error: error.code ?? error.message });
    });
    socket.on('close', () => {
      resolve(text === '' ? { error: 'closed without an answer' } : { answer: text.split(':')[0] ?? '' });
    });
  });
}

async function run(protocol: string, host: string, port: number, every: number): Promise<void> {
  let timeout = TIMEOUT;
  const attempt = protocol === 'UDP' ? askUdp : askTcp;
  let books = newBooks();
  const under = new Set<Promise<void>>();
  const begin = () => {
    const own = books;
    const at = Date.now();
    own.attempts++;
    const task = attempt(host, port, timeout).then(({ error, answer }) => {
      under.delete(task);
      const ms = Date.now() - at;
      if (error !== undefined) own.failures.push({ at, ms, error });
      else if (ms > SLOW) own.slow.push({ at, ms });
      if (answer !== undefined) own.slowest = Math.max(own.slowest, ms);
      if (answer !== undefined) own.answers[answer] = (own.answers[answer] ?? 0) + 1;
    });
    under.add(task);
  };
  setInterval(begin, every);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.startsWith('timeout ')) {
      timeout = Number(line.split(' ')[1]);
      continue;
    }
    if (line === 'settle') {
      await Promise.all([...under]);
      process.stdout.write('settled\n');
      continue;
    }
    const closing = books;
    books = newBooks();
    await Promise.all([...under]);
    process.stdout.write(`${JSON.stringify(closing)}\n`);
  }
  process.exit(0);
}

const newBooks = () => ({
  attempts: 0,
  failures: [] as { at: number; ms: number; error: string }[],
  slow: [] as { at: number; ms: number }[],
  slowest: 0,
  answers: {} as Record<string, number>,
});

if (import.meta.main) {
  const [protocol = '', host = '', port, every] = process.argv.slice(2);
  await run(protocol, host, Number(port), Number(every));
}
