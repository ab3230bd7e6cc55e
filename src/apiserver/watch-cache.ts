/**
 * The present state of the whole store in memory, kept up to date by one watch. Reads, watches and allocators live on it;
 * writes go to the store and come back here.
 */
import { ApiError } from '../api/api-error.ts';
import { KINDS, type Kind } from '../api/kinds.ts';
import type { Store, StoreEvent } from '../store/store.ts';
import { Entry } from './entry.ts';
import { KindCache } from './kind-cache.ts';
import { prefixOf, prefixOfKey, ROOT, storedKind } from './keys.ts';

/** How long a reader waits for a revision this server has not seen yet, milliseconds. */
const PATIENCE = 3000;

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

export class WatchCache {
  readonly #store: Store;
  readonly #kinds = new Map<string, KindCache>();
  #revision = 0;
  #waiters: Waiter[] = [];
  #watch: { close(): void } | undefined;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Reads everything and begins to follow. */
  static async open(store: Store): Promise<WatchCache> {
    const cache = new WatchCache(store);
    const { entries, revision } = await store.list(ROOT);
    cache.#revision = revision;
    for (const kind of KINDS) {
      if (storedKind(kind) === kind) cache.#kinds.set(prefixOf(kind), new KindCache(kind, revision));
    }
    for (const { key, value, revision: changed } of entries) {
      const kindCache = cache.#kinds.get(prefixOfKey(key));
      kindCache?.load(new Entry(kindCache.kind, key, value, changed));
    }
    cache.#watch = store.watch(ROOT, revision, (events) => {
      cache.#apply(events);
    });
    return cache;
  }

  /** All changes up to here have been taken in. */
  get revision(): number {
    return this.#revision;
  }

  of(kind: Kind): KindCache {
    const found = this.#kinds.get(prefixOf(kind));
    if (!found) throw new Error(`no storage for ${kind.kind}`);
    return found;
  }

  kinds(): Iterable<KindCache> {
    return this.#kinds.values();
  }

  /** What a reader who wants the newest state waits for (feature 8-045). */
  async catchUp(): Promise<void> {
    const newest = this.#store.revision();
    if (newest > this.#revision) await this.waitFor(newest);
  }

  /** Throws Timeout (504, feature 8-046) when the revision does not come. */
  waitFor(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(tooLarge(revision, this.#revision));
      }, PATIENCE);
      const waiter: Waiter = {
        revision,
        wake: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiters.push(waiter);
    });
  }

  close(): void {
    this.#watch?.close();
  }

  /** All events of one revision. */
  #apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const kindCache = this.#kinds.get(prefixOfKey(event.key));
      if (!kindCache) continue;
      const previous = kindCache.get(event.key);
      kindCache.apply({
        type: event.type,
        revision: event.revision,
        entry: new Entry(kindCache.kind, event.key, event.value, event.revision),
        previous,
      });
    }
    this.#revision = Math.max(this.#revision, events.at(-1)?.revision ?? 0);
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of ready) waiter.wake();
  }
}

function tooLarge(asked: number, current: number): ApiError {
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${String(asked)}, current: ${String(current)}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}
