/**
 * The store in one SQLite file. Commits queue up while a sync is under way; then all of them go into one transaction and share one
 * sync, each with its own revision. The sync runs in the background, so the event loop stays free on slow disks. Invariant: nobody,
 * neither reader nor watcher, sees a revision before it is on disk.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { DatabaseSync } from 'node:sqlite';
import { compactInSlices, RetentionTimer, type Retention } from './retention.ts';
import { assertCommit, assertReachable, failedCondition } from './refusals.ts';
import { prefixEnd } from './keys.ts';
import { openFile, prepareStatements, revisionOf, seqOf, type Statements } from './sqlite-file.ts';
import { Compacted, type Entry, type ListResult, type Operation, type Store, type StoreEvent } from './store.ts';
import type { StoreError } from './store-error.ts';
import { storeError, translateError } from './store-error.ts';
import { WatchHub } from './watch-hub.ts';

export interface SqliteOptions {
  /** The database file; `-wal` beside it belongs to it. Made where absent, with its folder. */
  readonly path: string;
  /** How much past is kept without being asked; five minutes, at most 50,000 revisions, where absent. */
  readonly retention?: Retention;
}

/** Resolves when everything written to the file is on disk. */
type Sync = (fd: number) => Promise<void>;

/**
 * @param sync replaced only by tests, which decide when, and whether, the disk is done
 * @throws StoreError naming the file and what to do: opened by another server, damaged, full, not writable
 */
export function openSqliteStore(options: SqliteOptions, sync: Sync = promisify(fdatasync)): Store {
  return new SqliteStore(options, sync);
}

interface Row {
  readonly seq: number;
  readonly key: string;
  readonly created: number;
  readonly value: string | null;
}

/** Commits taken into one transaction: bounds how long it holds the event loop. */
const BATCH = 256;
/** Above every key there is: valid UTF-8 has no such byte sequence, and text compares as bytes. */
const NO_END = Buffer.from([0xff]);

interface Pending {
  readonly operations: readonly Operation[];
  readonly resolve: (result: { revision: number }) => void;
  readonly reject: (error: unknown) => void;
}

class SqliteStore implements Store {
  readonly shared = false;
  readonly expires = false;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #sql: Statements;
  readonly #walFd: number;
  readonly #syncFile: Sync;
  readonly #hub: WatchHub;
  readonly #retention: RetentionTimer;
  /** Written to the log, perhaps not yet synced. Invariant: #revision <= #written. */
  #written: number;
  /** On disk and told. */
  #revision: number;
  #oldest: number;
  #queue: Pending[] = [];
  #working: Promise<void> | undefined;
  #failure: StoreError | undefined;
  #closed = false;

  constructor({ path, retention }: SqliteOptions, sync: Sync) {
    this.#path = path;
    this.#syncFile = sync;
    this.#database = openFile(path);
    try {
      this.#sql = prepareStatements(this.#database);
      this.#oldest = Number(this.#sql.compacted.get()?.['value']);
      this.#written = Math.max(this.#oldest, revisionOf(Number(this.#sql.lastSeq.get()?.['seq'] ?? 0)));
      this.#walFd = openSync(`${path}-wal`, 'r');
    } catch (error) {
      this.#database.close();
      throw translateError(path, 'read', error);
    }
    this.#revision = this.#written;
    this.#hub = new WatchHub((prefix, after, through) => this.#history(prefix, after, through), this.#revision);
    this.#retention = new RetentionTimer(this, retention);
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#reading(() => this.#find(key, this.#revision));
  }

  list(prefix: string, options: { after?: string; limit?: number; atRevision?: number } = {}): Promise<ListResult> {
    return this.#reading(() => {
      const { after = '', limit = -1, atRevision: revision = this.#revision } = options;
      assertReachable(revision, this.#oldest, this.#revision);
      // No key is empty, so `key > ''` excludes none.
      const range = { from: prefix, after, end: prefixEnd(prefix) ?? NO_END, before: seqOf(revision + 1) };
      const entries = (this.#sql.list.all({ ...range, limit }) as unknown as Row[]).map(toEntry);
      const last = entries.at(-1);
      if (!last || entries.length !== limit) return { entries, revision, remaining: 0 };
      return { entries, revision, remaining: Number(this.#sql.count.get({ ...range, after: last.key })?.['count']) };
    });
  }

  commit(operations: readonly Operation[]): Promise<{ revision: number }> {
    return new Promise((resolve, reject) => {
      assertCommit(operations);
      this.#assertUsable();
      this.#queue.push({ operations, resolve, reject });
      this.#wake();
    });
  }

  watch(prefix: string, afterRevision: number, onEvents: (events: readonly StoreEvent[]) => void): { close(): void } {
    if (afterRevision < this.#oldest) throw new Compacted(afterRevision, this.#oldest);
    return this.#hub.watch(prefix, afterRevision, onEvents);
  }

  revision(): number {
    return this.#revision;
  }

  reach(): Promise<number> {
    return this.#reading(() => {
      this.#hub.finishCatchUps();
      return this.#revision;
    });
  }

  async compact(asked: number): Promise<void> {
    const target = Math.min(asked, this.#revision);
    if (target <= this.#oldest) return;
    this.#hub.finishCatchUps();
    const from = this.#oldest;
    this.#oldest = target;
    await compactInSlices(from, target, (slice) => {
      if (!this.#closed) this.#transaction('compact', () => this.#drop(slice.from, slice.through));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#retention.stop();
    while (this.#working) await this.#working;
    if (this.#isClosed()) return;
    this.#closed = true;
    this.#hub.closeAll();
    closeSync(this.#walFd);
    // Checkpoints and removes the write-ahead log.
    this.#database.close();
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  #wake(): void {
    // A turn of the event loop later, so that all requests which came in together share the sync.
    this.#working ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#work())
      .finally(() => {
        this.#working = undefined;
        if (this.#queue.length > 0) this.#wake();
      });
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) await this.#commitBatch(this.#queue.splice(0, BATCH));
  }

  /** Never rejects: what goes wrong goes to those who asked. */
  async #commitBatch(batch: readonly Pending[]): Promise<void> {
    const settled: (() => void)[] = [];
    const commits: { revision: number; events: StoreEvent[] }[] = [];
    const before = this.#written;
    try {
      this.#assertUsable();
      this.#transaction('write', () => {
        for (const { operations, resolve, reject } of batch) {
          const failed = failedCondition(operations, (key) => this.#find(key, this.#written));
          const events = failed ? [] : this.#apply(operations, this.#written + 1);
          if (events.length > 0) commits.push({ revision: (this.#written += 1), events });
          const revision = this.#written;
          // Refusals wait for the sync as well: they may show what only this batch wrote.
          settled.push(() => {
            if (failed) reject(failed);
            else resolve({ revision });
          });
        }
      });
      if (commits.length > 0) await this.#sync();
    } catch (error) {
      this.#written = before;
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { revision, events } of commits) {
      this.#revision = revision;
      this.#hub.publish(revision, events);
    }
    for (const settle of settled) settle();
  }

  /** After a failed sync the kernel may have dropped the pages and will not say so again: nothing more may be promised. */
  async #sync(): Promise<void> {
    try {
      await this.#syncFile(this.#walFd);
    } catch (error) {
      this.#failure = storeError(this.#path, 'sync', 'failed', error);
      throw this.#failure;
    }
  }

  #transaction(doing: string, run: () => void): void {
    try {
      this.#sql.begin.run();
      run();
      this.#sql.commit.run();
    } catch (error) {
      if (this.#database.isTransaction) this.#sql.rollback.run();
      throw translateError(this.#path, doing, error);
    }
  }

  #apply(operations: readonly Operation[], revision: number): StoreEvent[] {
    const events: StoreEvent[] = [];
    for (const operation of operations) {
      const { type, key } = operation;
      if (type === 'check') continue;
      const old = this.#newest(key, this.#written);
      const previous = old?.value ?? undefined;
      if (type === 'delete' && previous === undefined) continue;
      const createRevision = old && old.created > 0 ? old.created : revision;
      const value = type === 'put' ? operation.value : null;
      const seq = seqOf(revision) + events.length;
      this.#sql.insert.run(
        seq,
        key,
        value === null ? 0 : createRevision,
        previous === undefined ? 0 : (old?.seq ?? 0),
        value,
      );
      events.push({ type, key, value: value ?? previous ?? '', revision, createRevision, previous });
    }
    return events;
  }

  #newest(key: string, revision: number): Row | undefined {
    return this.#sql.newest.get(key, seqOf(revision + 1)) as Row | undefined;
  }

  #find(key: string, revision: number): Entry | undefined {
    const row = this.#newest(key, revision);
    return row && row.created > 0 ? toEntry(row) : undefined;
  }

  #history(prefix: string, after: number, through: number): StoreEvent[] {
    const range = { from: seqOf(after + 1), before: seqOf(through + 1), key: prefix, end: prefixEnd(prefix) ?? NO_END };
    const rows = this.#sql.history.all(range) as unknown as (Row & {
      oldCreated: number | null;
      oldValue: string | null;
    })[];
    return rows.map(({ seq, key, created, value, oldCreated, oldValue }) => ({
      type: created > 0 ? 'put' : 'delete',
      key,
      value: value ?? oldValue ?? '',
      revision: revisionOf(seq),
      createRevision: created > 0 ? created : (oldCreated ?? 0),
      previous: oldValue ?? undefined,
    }));
  }

  #drop(from: number, through: number): void {
    const range = { from: seqOf(from + 1), before: seqOf(through + 1) };
    this.#sql.dropReplaced.run(range);
    this.#sql.dropDeletions.run(range);
    this.#sql.setCompacted.run(through);
  }

  #reading<T>(read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#assertUsable();
      try {
        resolve(read());
      } catch (error) {
        reject(translateError(this.#path, 'read', error) as Error);
      }
    });
  }

  #assertUsable(): void {
    if (this.#closed) throw new Error(`the store ${this.#path} is closed`);
    if (this.#failure) throw this.#failure;
  }
}

function toEntry({ key, value, seq, created }: Row): Entry {
  return { key, value: value ?? '', revision: revisionOf(seq), createRevision: created };
}
