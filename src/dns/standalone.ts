/** A DNS server alone, against any API server or none: what `fairway dns` does once it knows its flags. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import type { Client } from '../client/client.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { checkCorefile, type CheckedCorefile } from './check.ts';
import { defaultCorefile } from './corefile/default-corefile.ts';
import { runDns, type RunningDns } from './run.ts';

export interface StandaloneOptions {
  readonly client?: Client;
  readonly corefile: CorefileText;
  readonly addresses: readonly string[];
  readonly port?: number;
  readonly resolvConf?: string;
  readonly nodeName?: string;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface CorefileText {
  readonly file: string;
  readonly text: string;
  /** False: the default one. */
  readonly isGiven: boolean;
  /** It can be read again: it is a file on this machine. */
  readonly isOnDisk: boolean;
}

export interface Standalone {
  readonly dns: RunningDns;
  /** Reads the Corefile again, now. Never rejects: one that is wrong is told in the log, and the old stays. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** As CoreDNS: the file named, else the one of that name here, else the default one. `-` or `stdin` is what comes in. @throws the file's error */
export function findCorefile(named: string | undefined, clusterDomain: string | undefined): CorefileText {
  if (named === '-' || named === 'stdin')
    return { file: 'stdin', text: readFileSync(0, 'utf8'), isGiven: true, isOnDisk: false };
  const file = named ?? HERE;
  try {
    return { file, text: readFileSync(file, 'utf8'), isGiven: true, isOnDisk: true };
  } catch (error) {
    if (named !== undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { file: 'the default Corefile', text: defaultCorefile(clusterDomain), isGiven: false, isOnDisk: false };
  }
}

const HERE = 'Corefile';

/** Listening when it resolves. @throws CorefileError, or an Error that says which socket cannot be had and why */
export async function startStandalone(options: StandaloneOptions): Promise<Standalone> {
  const { client, corefile, addresses, port, resolvConf, nodeName, log, clock = realClock } = options;
  const { file } = corefile;
  const check = (text: string): CheckedCorefile =>
    checkCorefile(text, {
      file,
      hasApiServer: client !== undefined,
      addresses,
      ...(port !== undefined && { port }),
      ...(resolvConf !== undefined && { resolvConf }),
    });
  const checked = check(corefile.text);
  for (const socket of checked.sockets) await expectFree(socket.address, socket.port);
  const dns = runDns({
    corefile: { file, text: corefile.text },
    listen: { addresses, ...(port !== undefined && { port }) },
    log,
    clock,
    ...(client && { client }),
    ...(resolvConf !== undefined && { resolvConf }),
    ...(nodeName !== undefined && { nodeName }),
  });
  await dns.listening;
  const reloader = new Reloader({ dns, log, clock, check, ...corefile });
  reloader.schedule(checked);
  return {
    dns,
    reload: () => reloader.reload(),
    async stop() {
      reloader.stop();
      await dns.stop();
    },
  };
}

/** The server itself waits for its address, which a node may get late; who starts one by hand wants to know at once. */
async function expectFree(address: string, port: number): Promise<void> {
  const isIpv6 = address.includes(':');
  const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, resolve);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'EACCES'
        ? 'that needs root, or another port: --port 1053'
        : code === 'EADDRINUSE'
          ? 'something else does already'
          : code === 'EADDRNOTAVAIL'
            ? 'this machine has no such address'
            : (code ?? String(error));
    throw new Error(`cannot listen at ${address} port ${String(port)}: ${why}`, { cause: error });
  } finally {
    socket.close();
  }
}

interface ReloaderOptions extends CorefileText {
  readonly dns: RunningDns;
  readonly log: Log;
  readonly clock: Clock;
  readonly check: (text: string) => CheckedCorefile;
}

/** Feature 4-056: with `reload` in the Corefile it is looked at now and then, and taken where it is another. */
class Reloader {
  readonly #options: ReloaderOptions;
  #text: string;
  /** Undefined: of one that was wrong. */
  #digest: string | undefined;
  #isStopped = false;
  #cancel = (): void => undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#text = options.text;
    this.#digest = digestOf(options.text, options.check);
  }

  schedule({ reload }: Pick<CheckedCorefile, 'reload'>): void {
    const { clock, isOnDisk } = this.#options;
    this.#cancel();
    if (!reload || reload.intervalMs === 0 || !isOnDisk || this.#isStopped) return;
    const wait = reload.intervalMs + (Math.random() * 2 - 1) * reload.jitterMs;
    this.#cancel = clock.after(
      wait,
      () => {
        void this.reload().then(() => {
          this.schedule({ reload });
        });
      },
      true,
    );
  }

  async reload(): Promise<void> {
    const { dns, log, check, file, isOnDisk } = this.#options;
    if (!isOnDisk) return;
    try {
      const text = await readFile(file, 'utf8');
      const digest = digestOf(text, check);
      // One that is wrong is told once, not at every look.
      if (digest === this.#digest && (digest !== undefined || text === this.#text)) return;
      this.#digest = digest;
      this.#text = text;
      await dns.load(text);
      this.schedule(check(text));
      log.info({ file }, 'another Corefile from now on');
    } catch (error) {
      log.error({ err: error, file }, 'this Corefile is not taken, the one before stays');
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }
}

/** Undefined: it is wrong. */
function digestOf(text: string, check: (text: string) => CheckedCorefile): string | undefined {
  try {
    return check(text).digest;
  } catch {
    return undefined;
  }
}
