/** The sockets of a server: which are open, what each serves now, and how they change without one that stays being closed. */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { listenerKey, type Listener } from './listeners.ts';
import { PacketTable } from '../packets/packet-table.ts';
import type { Runtime, TrailStep } from '../plugin.ts';
import { respond } from '../routing/respond.ts';
import type { Router } from '../routing/router.ts';
import { serveDns, type DnsSockets } from './serve.ts';
import { DNS_PORT } from '../corefile/server-key.ts';

export interface SocketsOptions {
  /** Stands in for 53. */
  readonly port?: number;
  readonly log: Log;
  readonly clock: Clock;
}

interface OpenSocket {
  readonly sockets: DnsSockets;
  /** Under which packets know it; of all that are open now no other has it. */
  readonly number: number;
  readonly listener: Pick<Listener, 'address' | 'port'>;
  /** Changes with the Corefile. */
  router: Router;
}

/** ms between tries to get an address and port: the node's address may come up after the agent. */
const RETRY_MS = 500;

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #runtime: Runtime;
  readonly #packets: PacketTable;
  #open = new Map<string, OpenSocket>();
  readonly #numbers = new Set<number>();

  constructor(options: SocketsOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
    this.#packets = new PacketTable({ random: runtime.random });
    runtime.changes.onChange((dependency) => {
      this.#packets.change(dependency);
    });
  }

  /** The port that was taken, by the port the Corefile says. */
  ports(): ReadonlyMap<number, number> {
    return new Map([...this.#open.values()].map(({ listener, sockets }) => [listener.port, sockets.port]));
  }

  /** For questions that come in by no socket. */
  anyRouter(): Router | undefined {
    const all = [...this.#open.values()];
    return (all.find(({ listener }) => listener.port === DNS_PORT) ?? all[0])?.router;
  }

  /**
   * Opens what is new, then hands all sockets their new routers at once, then closes what is no longer wanted.
   * @param patient tries again until it works or this is aborted
   * @throws the socket's error; nothing has changed then
   */
  async change(listeners: ReadonlyMap<string, Listener>, patient?: AbortSignal): Promise<void> {
    const fresh: OpenSocket[] = [];
    try {
      for (const [key, listener] of listeners) {
        const open = this.#open.has(key) ? undefined : await this.#listen(listener, patient);
        if (open) fresh.push(open);
      }
    } catch (error) {
      await this.#close(fresh);
      throw error;
    }
    for (const open of fresh) this.#open.set(listenerKey(open.listener), open);
    const obsolete: OpenSocket[] = [];
    for (const [key, open] of this.#open) {
      const listener = listeners.get(key);
      if (listener) open.router = listener.router;
      else {
        this.#open.delete(key);
        obsolete.push(open);
      }
    }
    // In the same moment: what other chains answered holds no longer.
    this.#packets.change(undefined);
    await this.#close(obsolete);
  }

  async #close(open: readonly OpenSocket[]): Promise<void> {
    await Promise.all(open.map(({ sockets }) => sockets.close()));
    for (const { number } of open) this.#numbers.delete(number);
  }

  async close(): Promise<void> {
    await this.change(new Map());
  }

  /** Undefined: stopped before it came to that. */
  async #listen(listener: Listener, patient?: AbortSignal): Promise<OpenSocket | undefined> {
    const { address } = listener;
    const { log, clock, port: standIn } = this.#options;
    const port = listener.port === DNS_PORT ? (standIn ?? DNS_PORT) : listener.port;
    for (let tries = 0; patient?.aborted !== true; tries++) {
      try {
        return await this.#serve(listener, port);
      } catch (error) {
        if (!patient) throw error;
        if (tries === 0) log.error({ err: error, address, port }, 'cannot listen for DNS, trying again until it works');
        await pause(clock, RETRY_MS, patient);
      }
    }
    return undefined;
  }

  async #serve({ address, port: named, router }: Listener, port: number): Promise<OpenSocket> {
    const { log } = this.#options;
    const { clock, metrics, tap } = this.#runtime;
    let number = 0;
    while (this.#numbers.has(number)) number++;
    this.#numbers.add(number);
    const sockets = await serveDns({
      address,
      port,
      log,
      // Who listens wants to see how each answer comes about.
      packets: { table: this.#packets, number, isLeftOut: () => tap.isOpen },
      respond: (message, asker) => {
        const answer = (trail?: TrailStep[]) => respond(message, asker, { router: open.router, clock, metrics }, trail);
        return tap.isOpen ? tap.through(message, asker, answer) : answer();
      },
    }).catch((error: unknown) => {
      this.#numbers.delete(number);
      throw error;
    });
    const open: OpenSocket = { sockets, number, listener: { address, port: named }, router };
    log.info({ address, port: sockets.port }, 'serving DNS');
    return open;
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
