/** The store in memory: for tests, and the obvious twin that the SQLite engine is compared with. Nothing outlives the process. */
import { assertCommit, assertReachable, failedCondition } from './refusals.ts';
import { compareKeys } from './keys.ts';
import { Compacted, type Entry, type ListResult, type Operation, type Store, type StoreEvent } from './store.ts';
import { WatchHub } from './watch-hub.ts';

export function createMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly shared = false;
  readonly expires = false;
  /** Every kept state of a key, oldest first; `value` undefined is a deletion. */
  readonly #versions = new Map<string, { revision: number; createRevision: number; value: string | undefined }[]>();
  readonly #hub: WatchHub;
  #log: StoreEvent[] = [];
  #revision = 0;
  #oldest = 0;

  constructor() {
    this.#hub = new WatchHub(
      (prefix, after, through) =>
        this.#log.filter(({ key, revision }) => revision > after && revision <= through && key.startsWith(prefix)),
      0,
    );
  }

  get(key: string): Promise<Entry | undefined> {
    return Promise.resolve(this.#at(key, this.#revision));
  }

  async list(
    prefix: string,
    options: { after?: string; limit?: number; atRevision?: number } = {},
  ): Promise<ListResult> {
    await Promise.resolve();
    const { after, limit = Infinity, atRevision: revision = this.#revision } = options;
    assertReachable(revision, this.#oldest, this.#revision);
    const matching = [...this.#versions.keys()]
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
      .sort(compareKeys)
      .map((key) => this.#at(key, revision))
      .filter((entry) => entry !== undefined);
    const entries = matching.slice(0, limit);
    return { entries, revision, remaining: matching.length - entries.length };
  }

  async commit(operations: readonly Operation[]): Promise<{ revision: number }> {
    assertCommit(operations);
    await Promise.resolve();
    const failed = failedCondition(operations, (key) => this.#at(key, this.#revision));
    if (failed) throw failed;
    const revision = this.#revision + 1;
    const events = operations
      .map((operation) => this.#apply(operation, revision))
      .filter((event) => event !== undefined);
    if (events.length === 0) return { revision: this.#revision };
    this.#revision = revision;
    this.#log.push(...events);
    this.#hub.publish(revision, events);
    return { revision };
  }

  watch(prefix: string, afterRevision: number, onEvents: (events: readonly StoreEvent[]) => void): { close(): void } {
    if (afterRevision < this.#oldest) throw new Compacted(afterRevision, this.#oldest);
    return this.#hub.watch(prefix, afterRevision, onEvents);
  }

  revision(): number {
    return this.#revision;
  }

  reach(): Promise<number> {
    this.#hub.finishCatchUps();
    return Promise.resolve(this.#revision);
  }

  async compact(asked: number): Promise<void> {
    await Promise.resolve();
    const revision = Math.min(asked, this.#revision);
    if (revision <= this.#oldest) return;
    this.#hub.finishCatchUps();
    this.#oldest = revision;
    this.#log = this.#log.filter((event) => event.revision > revision);
    for (const [key, versions] of this.#versions) {
      const current = versions.findLastIndex((version) => version.revision <= revision);
      const kept = versions.slice(Math.max(0, current));
      if (kept[0]?.value === undefined && kept[0] && kept[0].revision <= revision) kept.shift();
      if (kept.length > 0) this.#versions.set(key, kept);
      else this.#versions.delete(key);
    }
  }

  close(): Promise<void> {
    this.#hub.closeAll();
    return Promise.resolve();
  }

  #at(key: string, revision: number): Entry | undefined {
    const version = this.#versions.get(key)?.findLast((each) => each.revision <= revision);
    if (version?.value === undefined) return undefined;
    return { key, value: version.value, revision: version.revision, createRevision: version.createRevision };
  }

  #apply(operation: Operation, revision: number): StoreEvent | undefined {
    const { type, key } = operation;
    const old = this.#at(key, this.#revision);
    if (type === 'check' || (type === 'delete' && !old)) return undefined;
    const createRevision = old?.createRevision ?? revision;
    const value = type === 'put' ? operation.value : undefined;
    const versions = this.#versions.get(key);
    if (versions) versions.push({ revision, createRevision, value });
    else this.#versions.set(key, [{ revision, createRevision, value }]);
    return { type, key, value: value ?? old?.value ?? '', revision, createRevision, previous: old?.value };
  }
}
