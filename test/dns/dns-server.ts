/** The DNS server as a process, for tests: started against an API server, on a port of its own on 127.0.0.1. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ConnectionConfig } from '../../src/client/raw-request.ts';

export class DnsProcess {
  /** Both resolve to the port. */
  readonly listening: Promise<number>;
  readonly ready: Promise<number>;
  readonly #child: ChildProcess;
  isReady = false;
  readonly #folder = mkdtempSync(join(tmpdir(), 'fw-dns-'));

  constructor(connection: ConnectionConfig) {
    const file = join(this.#folder, 'connection.json');
    writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'dns-process.ts'), file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: this.#child.stdout ?? process.stdin })[Symbol.asyncIterator]();
    const line = async (): Promise<string> => {
      const next = await lines.next();
      if (next.done) throw new Error('the DNS server ended');
      return next.value;
    };
    this.listening = line().then(Number);
    this.ready = this.listening.then(async (port) => {
      await line();
      this.isReady = true;
      return port;
    });
    for (const promise of [this.listening, this.ready]) promise.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Another Corefile from now on, with the same names. */
  reload(): void {
    this.#child.kill('SIGHUP');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
