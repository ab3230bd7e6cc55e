/**
 * A local copy of one kind that keeps itself up to date: list in pages, watch from there, list again when the watch is too old,
 * reconnect with back-off. A watch that says nothing for too long is taken for deaf and replaced (trap T14): the server's bookmarks
 * are the heartbeat.
 */
import { isExpired } from '../api/api-error.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { Backoff } from '../lib/backoff.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import { Complaint } from '../lib/complaint.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Change, Client, Informer, InformerOptions, ListOptions } from './client.ts';
import { ObjectCache } from './object-cache.ts';

/** Silence after which a watch is replaced, ms. Bookmarks come about once a minute from kube-apiserver, more often from Fairway's. */
const READ_DEADLINE = 90_000;
/** The server is asked to end a watch after so many seconds: connections get spread again, and nothing lives for ever. */
const WATCH_SECONDS = 300;
/** ms. One that failed earlier and brought nothing may never have been one: it can take seconds to learn that a host is away. */
const LONG_LIFE = 60_000;
/** Objects per page of a list: bounds what is in flight at once. */
const PAGE = 500;

export interface InformerTiming {
  readonly clock?: Clock;
  readonly readDeadline?: number;
  /** Delay after failures in a row, ms. */
  readonly backoff?: { initial: number; max: number };
}

/** Begins at once. `synced` never rejects: what goes wrong is logged and tried again until `stop`. */
export function startInformer<T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  options: InformerOptions<T> = {},
  log: Log = silentLog,
  timing: InformerTiming = {},
): Informer<T> {
  const informer = new Reflector(client, kind, options, log.child({ informer: kind.plural }), timing);
  void informer.run();
  return informer;
}

class Reflector<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>;
  readonly #client: Client;
  readonly #kind: Kind<T>;
  readonly #selection: ListOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #readDeadline: number;
  readonly #backoff: Backoff;
  readonly #trouble: Complaint;
  readonly #cache: ObjectCache<T>;
  readonly #transform: (object: T) => T;
  readonly #handlers = new Set<(change: Change<T>) => void>();
  readonly #listHandlers = new Set<() => void>();
  /** Aborted: what is watched is of no use, list again. */
  #current = new AbortController();
  readonly #stopped = new AbortController();
  #markSynced = () => {};
  #hasSynced = false;
  #lastEventAt: number;

  constructor(client: Client, kind: Kind<T>, options: InformerOptions<T>, log: Log, timing: InformerTiming) {
    const { indexes = {}, transform = (object: T) => object, ...selection } = options;
    this.#transform = transform;
    this.#client = client;
    this.#kind = kind;
    this.#selection = selection;
    this.#log = log;
    this.#clock = timing.clock ?? realClock;
    this.#readDeadline = timing.readDeadline ?? READ_DEADLINE;
    this.#backoff = new Backoff(timing.backoff ?? { initial: 50, max: 5000 });
    this.#trouble = new Complaint(this.#clock);
    this.#cache = new ObjectCache(kind.namespaced, indexes);
    this.#lastEventAt = this.#clock.now();
    this.synced = new Promise((resolve) => (this.#markSynced = resolve));
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#cache.get(name, namespace);
  }

  list(namespace?: string): T[] {
    return this.#cache.list(namespace);
  }

  byIndex(index: string, value: string): T[] {
    return this.#cache.byIndex(index, value);
  }

  onChange(handler: (change: Change<T>) => void): () => void {
    // A wrapper, so that one function subscribed twice is two subscriptions.
    const own = (change: Change<T>) => {
      handler(change);
    };
    this.#handlers.add(own);
    for (const object of this.#cache.list()) this.#tell(own, { type: 'added', object });
    return () => {
      this.#handlers.delete(own);
    };
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get lastEventAt(): number {
    return this.#lastEventAt;
  }

  relist(): void {
    this.#current.abort();
  }

  onList(handler: () => void): () => void {
    const own = () => {
      handler();
    };
    this.#listHandlers.add(own);
    return () => {
      this.#listHandlers.delete(own);
    };
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Each round lists, then watches until the version is too old. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        this.#current = new AbortController();
        const version = await this.#takeIn();
        if (!this.#hasSynced) {
          this.#hasSynced = true;
          this.#markSynced();
        }
        for (const handler of this.#listHandlers) this.#tryTo(handler, 'list handler threw');
        await this.#follow(version);
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        this.#complain(error, 'list failed, will try again');
        await this.#pause();
      }
    }
  }

  /** Takes in the present state; what happened in between arrives as differences. Returns the version to watch from. */
  async #takeIn(): Promise<string> {
    const items: T[] = [];
    let page: { continue?: string } = {};
    for (;;) {
      const list = await this.#client.list(this.#kind, { ...this.#selection, limit: PAGE, ...page });
      if (this.#stopped.signal.aborted) throw new Error('stopped');
      for (const item of list.items) items.push(this.#transform(item));
      if (!list.metadata.continue) {
        this.#lastEventAt = this.#clock.now();
        for (const change of this.#cache.replace(items)) this.#announce(change);
        return list.metadata.resourceVersion;
      }
      page = { continue: list.metadata.continue };
    }
  }

  /** Watches on and on, each time from where the last one ended. Returns when the past is gone and a new list is needed. */
  async #follow(from: string): Promise<void> {
    let version = from;
    let tooOld = false;
    while (!tooOld && !this.#stopped.signal.aborted && !this.#current.signal.aborted) {
      const startedAt = this.#clock.now();
      const before = version;
      let hasFailed = false;
      try {
        for await (const next of this.#listen(version)) version = next;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        hasFailed = true;
        tooOld = isExpired(error);
        if (tooOld) this.#log.info({ version }, 'watch too old, listing again');
        else this.#complain(error, 'watch broke off, will reconnect');
      }
      // A watch that lived or brought something was a good one: only those that die at once wait longer and longer, 410 included.
      const lived = this.#clock.now() - startedAt;
      if (this.#current.signal.aborted) return;
      if (version !== before || lived >= (hasFailed ? LONG_LIFE : 1000)) {
        this.#backoff.reset();
        this.#trouble.clear();
      } else await this.#pause();
    }
  }

  /** One watch. Yields the version after each event. Ends when the server ends it, or after too long a silence. */
  async *#listen(version: string): AsyncGenerator<string> {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, this.#stopped.signal, this.#current.signal]);
    const iterator = this.#client
      .watch(this.#kind, {
        ...this.#selection,
        resourceVersion: version,
        allowWatchBookmarks: true,
        timeoutSeconds: WATCH_SECONDS,
        signal,
      })
      [Symbol.asyncIterator]();
    const cancelDeadline = this.#armDeadline(controller);
    const nextOrAborted = abortable(signal);
    try {
      for (;;) {
        const result = await nextOrAborted(() => iterator.next());
        if (result === undefined || result.done) return;
        this.#lastEventAt = this.#clock.now();
        const { type, object } = result.value;
        if (type !== 'BOOKMARK') {
          const kept = this.#transform(object);
          const change = type === 'DELETED' ? this.#cache.remove(kept) : this.#cache.put(kept);
          if (change) this.#announce(change);
        }
        yield object.metadata.resourceVersion ?? version;
      }
    } finally {
      cancelDeadline();
      controller.abort();
      // Not awaited: a deaf connection may never answer.
      iterator.return?.().catch(() => {});
    }
  }

  /** Aborts once nothing was heard for the read deadline. One timer per watch, set again only when it fires: events stay cheap. */
  #armDeadline(controller: AbortController): () => void {
    const openedAt = this.#clock.now();
    let cancel = () => {};
    const arm = (ms: number) => {
      cancel = this.#clock.after(ms, () => {
        const left = Math.max(openedAt, this.#lastEventAt) + this.#readDeadline - this.#clock.now();
        if (left > 0) {
          arm(left);
          return;
        }
        this.#log.warn({ silentMs: this.#readDeadline }, 'watch is deaf, reconnecting');
        controller.abort();
      });
    };
    arm(this.#readDeadline);
    return () => {
      cancel();
    };
  }

  /** An API server may be away for hours: the same is not told with every try. */
  #complain(error: unknown, what: string): void {
    this.#trouble.raise(`${what} ${error instanceof Error ? error.message : String(error)}`, (repeats) => {
      this.#log.warn({ err: error, ...(repeats > 0 && { repeats }) }, what);
    });
  }

  #announce(change: Change<T>): void {
    for (const handler of this.#handlers) this.#tell(handler, change);
  }

  /** A handler's mistake must not make the copy deaf for everybody else. */
  #tell(handler: (change: Change<T>) => void, change: Change<T>): void {
    const { name } = change.object.metadata;
    this.#tryTo(
      () => {
        handler(change);
      },
      'change handler threw',
      { change: change.type, name },
    );
  }

  #tryTo(act: () => void, complaint: string, fields: object = {}): void {
    try {
      act();
    } catch (error) {
      this.#log.error({ err: error, ...fields }, complaint);
    }
  }

  /** Waits the back-off, up to a quarter longer so that many clients do not come back at once. */
  async #pause(): Promise<void> {
    const ms = this.#backoff.next() * (1 + Math.random() / 4);
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#stopped.signal.removeEventListener('abort', stop);
        resolve();
      });
      const stop = () => {
        cancel();
        resolve();
      };
      this.#stopped.signal.addEventListener('abort', stop, { once: true });
    });
  }
}

/**
 * Awaits what it is given, or undefined once `signal` aborts, whichever comes first, even where the awaited never settles.
 * Not Promise.race with one long promise: that would keep every result until the watch ends.
 */
function abortable(signal: AbortSignal): <R>(start: () => Promise<R>) => Promise<R | undefined> {
  let giveUp = () => {};
  signal.addEventListener('abort', () => {
    giveUp();
  });
  return (start) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        resolve(undefined);
        return;
      }
      giveUp = () => {
        resolve(undefined);
      };
      start().then(resolve, reject);
    });
}
