/**
 * The present state of the whole store in memory, kept up to date by one watch. Reads, watches and allocators live on it;
 * writes go to the store and come back here.
 */
import { ApiError } from '../api/api-error.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, KINDS, type Kind } from '../api/kinds.ts';
import type { Log } from '../lib/log.ts';
import { followDefinitions } from './custom-kinds.ts';
import type { Entry as StoredEntry, Store, StoreEvent } from '../store/store.ts';
import { Entry } from './entry.ts';
import { KindCache } from './kind-cache.ts';
import { prefixOf, prefixOfKey, ROOT, storedKind } from './keys.ts';
import { ServedKinds } from './served-kinds.ts';

/** How long a reader waits for a revision this server has not seen yet, milliseconds. */
const PATIENCE = 3000;

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

export class WatchCache {
  readonly #store: Store;
  readonly #log: Log;
  readonly #kinds = new Map<string, KindCache>();
  /** By prefix and key: objects of kinds that nobody defines, kept for when somebody does. */
  readonly #strays = new Map<string, Map<string, { text: string; revision: number }>>();
  #revision = 0;
  #waiters: Waiter[] = [];
  #watch: { close(): void } | undefined;
  /** Under way after the store's past was lost; what is here is stale until it has ended. */
  #relisting: Promise<void> | undefined;
  #closed = false;

  private constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Reads everything and begins to follow. */
  static async open(store: Store, log: Log, served = new ServedKinds()): Promise<WatchCache> {
    const cache = new WatchCache(store, log);
    const { entries, revision } = await store.list(ROOT);
    cache.#revision = revision;
    for (const kind of KINDS) {
      if (storedKind(kind) === kind) cache.#kinds.set(prefixOf(kind), new KindCache(kind, revision));
    }
    for (const { key, value, revision: changed } of entries) {
      const kindCache = cache.#kinds.get(prefixOfKey(key));
      if (kindCache) kindCache.load(new Entry(kindCache.kind, key, value, changed));
      else cache.#straysOf(prefixOfKey(key)).set(key, { text: value, revision: changed });
    }
    followDefinitions(cache.of(CUSTOM_RESOURCE_DEFINITIONS), served, cache);
    cache.#follow(revision);
    return cache;
  }

  /** All changes up to here have been taken in. */
  get revision(): number {
    return this.#revision;
  }

  of(kind: Kind): KindCache {
    const found = this.#kinds.get(prefixOf(kind));
    if (!found) throw noSuchResource(kind);
    return found;
  }

  /** Begins to keep a custom kind, or to read its objects by a new row. */
  define(kind: Kind): void {
    const prefix = prefixOf(kind);
    const present = this.#kinds.get(prefix);
    if (present) {
      present.redefine(kind);
      return;
    }
    const kindCache = new KindCache(kind, this.#revision);
    const strays = [...this.#straysOf(prefix)].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, { text, revision }] of strays) kindCache.load(new Entry(kind, key, text, revision));
    this.#strays.delete(prefix);
    this.#kinds.set(prefix, kindCache);
  }

  /** The custom kind is served no longer; objects that are left wait for its return. */
  remove(kind: Kind): void {
    const prefix = prefixOf(kind);
    const kindCache = this.#kinds.get(prefix);
    if (!kindCache) return;
    this.#kinds.delete(prefix);
    for (const { key, text, revision } of kindCache.range(prefix)) this.#straysOf(prefix).set(key, { text, revision });
    kindCache.forgetPast(this.#revision);
  }

  #straysOf(prefix: string): Map<string, { text: string; revision: number }> {
    const found = this.#strays.get(prefix) ?? new Map<string, { text: string; revision: number }>();
    this.#strays.set(prefix, found);
    return found;
  }

  kinds(): Iterable<KindCache> {
    return this.#kinds.values();
  }

  /** What a reader who wants the newest state waits for (feature 8-045). */
  async catchUp(): Promise<void> {
    const revision = await this.#store.reach();
    if (this.#relisting) await this.#relisting;
    this.#advance(revision);
  }

  /** Throws Timeout (504, feature 8-046) when the revision does not come. */
  waitFor(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    // Where others write too there may be revisions without an event for us: only asking tells that they have passed.
    if (this.#store.shared) void this.catchUp().catch(() => undefined);
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
    this.#closed = true;
    this.#watch?.close();
  }

  #follow(revision: number): void {
    this.#watch = this.#store.watch(
      ROOT,
      revision,
      (events) => {
        this.#apply(events);
      },
      (error) => {
        this.#log.warn({ err: error }, 'the datastore was out of reach for too long: reading everything again');
        this.#relisting = this.#relist().finally(() => {
          this.#relisting = undefined;
        });
      },
    );
  }

  /** Ends only with success or the cache's own end. Open watches end first: what happened in between can no longer be told. */
  async #relist(): Promise<void> {
    for (let pause = 50; !this.#closed; pause = Math.min(2 * pause, 2000)) {
      try {
        const { entries, revision } = await this.#store.list(ROOT);
        for (const kindCache of this.#kinds.values()) kindCache.forgetPast(revision);
        this.#strays.clear();
        this.#apply(difference(this.#kinds, entries, revision));
        this.#advance(revision);
        this.#follow(revision);
        return;
      } catch (error) {
        this.#log.warn({ err: error }, 'everything could not be read again yet');
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** All events of one revision. */
  #apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const kindCache = this.#kinds.get(prefixOfKey(event.key));
      if (!kindCache) {
        const strays = this.#straysOf(prefixOfKey(event.key));
        if (event.type === 'delete') strays.delete(event.key);
        else strays.set(event.key, { text: event.value, revision: event.revision });
        continue;
      }
      const previous = kindCache.get(event.key);
      kindCache.apply({
        type: event.type,
        revision: event.revision,
        entry: new Entry(kindCache.kind, event.key, event.value, event.revision),
        previous,
      });
    }
    this.#advance(events.at(-1)?.revision ?? 0);
  }

  #advance(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of ready) waiter.wake();
  }
}

/** What turns the state in memory into the listed one, as events in order of revision; what is gone went at the revision of the list. */
function difference(
  kinds: ReadonlyMap<string, KindCache>,
  entries: readonly StoredEntry[],
  revision: number,
): StoreEvent[] {
  const present = new Map(entries.map((entry) => [entry.key, entry]));
  const known = [...kinds].flatMap(([prefix, kindCache]) => kindCache.range(prefix));
  const before = new Map(known.map((entry) => [entry.key, entry.revision]));
  const puts = entries
    .filter((entry) => before.get(entry.key) !== entry.revision)
    .map((entry): StoreEvent => ({ type: 'put', ...entry }))
    .sort((a, b) => a.revision - b.revision);
  const deletes = known
    .filter(({ key }) => !present.has(key))
    .map(({ key, text }): StoreEvent => ({ type: 'delete', key, value: text, revision, createRevision: 0 }));
  return [...puts, ...deletes];
}

function noSuchResource({ plural, group }: Kind): ApiError {
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: { group, kind: plural },
  });
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
