/**
 * The state of a cluster: a revisioned key-value store on the etcd model. One global revision grows by one with every commit;
 * a key remembers the revision of its last change (`revision`) and of its creation (`createRevision`). The same contract suite
 * (`contract.ts`) runs on every engine.
 */
export interface Entry {
  readonly key: string;
  /** UTF-8 JSON text. The store never looks inside. */
  readonly value: string;
  readonly revision: number;
  readonly createRevision: number;
}

/** `expect`: revision the key must have for the commit to happen; 0: must be absent; undefined: do not care. */
export type Operation =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: string;
      readonly expect?: number | undefined;
      /** Seconds after which the key may go by itself; only a store that `expires` minds it. */
      readonly ttl?: number | undefined;
    }
  | { readonly type: 'delete'; readonly key: string; readonly expect?: number | undefined }
  /** Changes nothing, only states a condition. */
  | { readonly type: 'check'; readonly key: string; readonly expect: number };

/** What a commit did to one key. `value` of a delete is the last value before it. */
export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string;
  /** Revision of this commit. */
  readonly revision: number;
  readonly createRevision: number;
  /** Value before this commit; undefined when the key was absent. */
  readonly previous?: string | undefined;
}

export interface ListResult {
  readonly entries: Entry[];
  /** Revision the listing is a snapshot of. */
  readonly revision: number;
  /** How many more keys match behind the last entry. */
  readonly remaining: number;
}

export interface Store {
  /** Other processes write here too: what this one has in memory may be behind. */
  readonly shared: boolean;
  /** Keys with a `ttl` go by themselves. */
  readonly expires: boolean;
  get(key: string): Promise<Entry | undefined>;
  /** Keys that start with `prefix`, in byte order, behind `after`, at most `limit`, as of `atRevision` (default: now). Throws Compacted. */
  list(prefix: string, options?: { after?: string; limit?: number; atRevision?: number }): Promise<ListResult>;
  /**
   * Applies all operations or none, durably, as one revision. Resolves once it is on disk. Throws ConditionFailed with the entry found.
   * Concurrent commits may share one disk sync, each keeps its own revision; a commit that changes nothing (checks only) makes none.
   */
  commit(operations: readonly Operation[]): Promise<{ revision: number }>;
  /**
   * Events of keys under `prefix` with revision > `afterRevision`, in order, none skipped, none twice: first those of the past, then live.
   * `onEvents` gets all events of one revision in one call, never concurrently. Throws Compacted when the past is gone.
   * `onLost`: the watch is over, because a shared store was out of reach for so long that the past is gone: list, then watch again.
   */
  watch(
    prefix: string,
    afterRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onLost?: (error: Compacted) => void,
  ): { close(): void };
  /** The last revision acknowledged, of a shared store the last that watchers from the present have been told of. */
  revision(): number;
  /**
   * Resolves when watchers have been told of every commit that was acknowledged before this call, by whatever process: with the revision
   * up to which they have. Throws StoreError when a shared store cannot say.
   */
  reach(): Promise<number>;
  /** Forgets the past before `revision`; present values stay. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

export class ConditionFailed extends Error {
  override name = 'ConditionFailed';
  readonly key: string;
  readonly found: Entry | undefined;
  constructor(key: string, found: Entry | undefined) {
    super(`commit refused: ${key} ${found ? `is at revision ${String(found.revision)}` : 'does not exist'}`);
    this.key = key;
    this.found = found;
  }
}

export class Compacted extends Error {
  override name = 'Compacted';
  readonly oldest: number;
  constructor(asked: number, oldest: number) {
    super(`revision ${String(asked)} is gone: the oldest kept is ${String(oldest)}`);
    this.oldest = oldest;
  }
}
