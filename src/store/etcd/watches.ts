/**
 * All watches of one store. Whoever begins in the present shares one watch of etcd; whoever begins in the past has one of its own. Each of
 * them follows the whole store and not only a prefix, so that "told up to revision r" means the same for all.
 */
import type { Compacted } from '../store.ts';
import { type StoreEvent } from '../store.ts';
import { WatchHub } from '../watch-hub.ts';
import type { EtcdClient } from './client.ts';
import { EtcdWatch } from './watch.ts';
import type { Revision } from './revisions.ts';

type OnEvents = (events: readonly StoreEvent[]) => void;

interface Live {
  readonly onLost: (error: Compacted) => void;
  readonly close: () => void;
}

export interface WatchesOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly revision: number;
  /** The newest revision, after the past was lost; asked again until it comes. */
  readonly newest: () => Promise<number>;
}

/** How long a watch may be behind what is known before it goes on at another member, ms. */
const STALL = 1000;

/** Put to move the revision on without changing anything; beside the keys of the store, and seen by nobody. */
export const PROGRESS_KEY = '.progress';

/** From `<prefix>.` up to and with `<prefix>/…`: `.` is the byte before `/`, and `0` the one after. */
export const watchedRange = (prefix: string) => ({ key: `${prefix}.`, rangeEnd: `${prefix}0` });

export class Watches {
  readonly #options: WatchesOptions;
  readonly #hub: WatchHub;
  readonly #live = new Set<Live>();
  readonly #own = new Set<EtcdWatch>();
  #shared: EtcdWatch;
  #revision: number;
  #waiters: { readonly revision: number; readonly live: boolean; readonly wake: () => void }[] = [];
  #movedAt = -Infinity;
  #closed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#revision = options.revision;
    this.#hub = new WatchHub(() => [], options.revision);
    this.#shared = this.#follow(options.revision);
  }

  /** Live watchers have been told of everything up to here. */
  get revision(): number {
    return this.#revision;
  }

  watch(prefix: string, after: number, onEvents: OnEvents, onLost: (error: Compacted) => void): { close(): void } {
    if (after < this.#revision) return this.#watchPast(prefix, after, onEvents, onLost);
    const inner = this.#hub.watch(prefix, after, onEvents);
    const live: Live = {
      onLost,
      close: () => {
        this.#live.delete(live);
        inner.close();
      },
    };
    this.#live.add(live);
    return live;
  }

  /**
   * True once every watcher has been told of everything up to `revision`; false when that takes longer than `timeout` ms.
   * `live`: only those who share the watch that began in the present. etcd serves others in their own time.
   */
  async told(revision: number, timeout: number, live = false): Promise<boolean> {
    if (this.#isTold(revision, live)) return true;
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        clearTimeout(stall);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        resolve(false);
      }, timeout);
      const stall = setTimeout(() => {
        this.#moveOn();
      }, STALL);
      const waiter = {
        revision,
        live,
        wake: () => {
          clearTimeout(timer);
          clearTimeout(stall);
          resolve(true);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  /** A member that hangs keeps its connections: only its silence tells. */
  #moveOn(): void {
    const now = performance.now();
    if (this.#closed || now < this.#movedAt + STALL) return;
    this.#movedAt = now;
    this.#shared.moveOn();
    for (const each of this.#own) each.moveOn();
  }

  close(): void {
    this.#closed = true;
    this.#shared.close();
    for (const each of this.#own) each.close();
    this.#own.clear();
    this.#hub.closeAll();
    for (const { wake } of this.#waiters) wake();
    this.#waiters = [];
  }

  #isTold(revision: number, live: boolean): boolean {
    if (this.#revision < revision) return false;
    if (live) return true;
    for (const { seen } of this.#own) if (seen < revision) return false;
    return true;
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter(({ revision, live }) => this.#isTold(revision, live));
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const { wake } of ready) wake();
  }

  #follow(after: number): EtcdWatch {
    const { client, prefix } = this.#options;
    return new EtcdWatch({
      client,
      ...watchedRange(prefix),
      prefixLength: prefix.length,
      after,
      onRevision: ({ revision, events }) => {
        // First, so that a handler which begins to watch what it is being told gets a watch of its own for it.
        this.#revision = revision;
        this.#hub.publish(revision, events.filter(isOfStore));
        this.#wake();
      },
      onLost: (error) => {
        void this.#beginAgain(error);
      },
    });
  }

  /** Cut off for so long that the past is gone: follow from now on, and tell the watchers to look for themselves. */
  async #beginAgain(error: Compacted): Promise<void> {
    const revision = await this.#options.newest();
    if (this.#closed) return;
    const lost = [...this.#live];
    for (const live of lost) live.close();
    this.#revision = revision;
    this.#hub.publish(revision, []);
    this.#shared = this.#follow(revision);
    this.#wake();
    for (const { onLost } of lost) onLost(error);
  }

  #watchPast(prefix: string, after: number, onEvents: OnEvents, onLost: (error: Compacted) => void) {
    const { client, prefix: all } = this.#options;
    const own = new EtcdWatch({
      client,
      ...watchedRange(all),
      prefixLength: all.length,
      after,
      onRevision: (told) => {
        tell(told, prefix, onEvents);
        this.#wake();
      },
      onLost: (error) => {
        this.#own.delete(own);
        this.#wake();
        onLost(error);
      },
    });
    this.#own.add(own);
    return {
      close: () => {
        own.close();
        this.#own.delete(own);
        this.#wake();
      },
    };
  }
}

const isOfStore = ({ key }: StoreEvent): boolean => key !== PROGRESS_KEY;

/** A handler's mistake is thrown outside, as the hub does. */
function tell({ events }: Revision, prefix: string, onEvents: OnEvents): void {
  const theirs = events.filter((event) => isOfStore(event) && event.key.startsWith(prefix));
  if (theirs.length === 0) return;
  try {
    onEvents(theirs);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
