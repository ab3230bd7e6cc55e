/**
 * A client that opens a new connection every few milliseconds, whatever became of those before, and keeps books: the process, and the
 * handle of a test on it. `steady-client.ts HOST PORT MILLISECONDS`; each line on standard input asks for a report of the time since
 * the last one, as a JSON line.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface SteadyReport {
  readonly attempts: number;
  /** `at` is ms since the epoch when the attempt began. */
  readonly failures: readonly { readonly at: number; readonly error: string }[];
  /** Answered, but only after a lost packet was sent again: longer than SLOW ms. */
  readonly slow: readonly { readonly at: number; readonly ms: number }[];
  /** Who answered how often. */
  readonly answers: Readonly<Record<string, number>>;
}

/** ms. A SYN that gets lost is sent again after a second. */
const SLOW = 800;
/** ms after which an attempt counts as failed. */
const TIMEOUT = 3000;

export class SteadyClient {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((line: string) => void)[] = [];

  /** In the network namespace of that name. */
  constructor(namespace: string, host: string, port: number, every = 5) {
    const script = fileURLToPath(import.meta.url);
    const args = [`--net=/run/netns/${namespace}`, process.execPath, script, host, String(port), String(every)];
    this.#child = spawn('nsenter', args, { stdio: 'pipe' });
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

  stop(): void {
    this.#child.stdin.end();
  }
}

function attempt(host: string, port: number): Promise<{ error?: string; answer?: string }> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port });
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ error: error.code ?? error.message });
    });
    socket.on('close', () => {
      resolve(text === '' ? { error: 'closed without an answer' } : { answer: text.split(':')[0] ?? '' });
    });
  });
}

async function run(host: string, port: number, every: number): Promise<void> {
  let books = newBooks();
  const under = new Set<Promise<void>>();
  const begin = () => {
    const own = books;
    const at = Date.now();
    own.attempts++;
    const task = attempt(host, port).then(({ error, answer }) => {
      under.delete(task);
      const ms = Date.now() - at;
      if (error !== undefined) own.failures.push({ at, error });
      else if (ms > SLOW) own.slow.push({ at, ms });
      if (answer !== undefined) own.answers[answer] = (own.answers[answer] ?? 0) + 1;
    });
    under.add(task);
  };
  setInterval(begin, every);
  for await (const _line of createInterface({ input: process.stdin })) {
    const closing = books;
    books = newBooks();
    await Promise.all([...under]);
    process.stdout.write(`${JSON.stringify(closing)}\n`);
  }
  process.exit(0);
}

const newBooks = () => ({
  attempts: 0,
  failures: [] as { at: number; error: string }[],
  slow: [] as { at: number; ms: number }[],
  answers: {} as Record<string, number>,
});

if (import.meta.main) {
  const [host = '', port, every] = process.argv.slice(2);
  await run(host, Number(port), Number(every));
}
