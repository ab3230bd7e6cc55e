/**
 * The store in etcd v3. A commit is one transaction there; revisions are etcd's own. Several servers may share it: what one of them reads as
 * "newest" it first asks etcd for, and its watchers have been told of everything up to that.
 *
 * When the connection breaks while a commit is under way nobody can know whether it was, or will yet be, carried out: a later look that does
 * not find it proves nothing, and one that finds the same value may be looking at somebody else's. So such a commit is neither repeated nor
 * called a success or a failure: it throws a StoreError `unknown`. Where it is certain that nothing was sent or proposed, the commit goes to
 * the next member, for as long as its time lasts, and then throws `unavailable`.
 */
import { GrpcError } from '../../host/grpc/grpc-error.ts';
import { assertCommit, assertReachable } from '../refusals.ts';
import { prefixEnd } from '../keys.ts';
import { RetentionTimer, type Retention } from '../retention.ts';
import { StoreError } from '../store-error.ts';
import { Compacted, type Entry, type ListResult, type Operation, type Store, type StoreEvent } from '../store.ts';
import { EtcdClient, type EtcdConnection } from './client.ts';
import { isCompacted, isFuture, refused, unavailable } from './failures.ts';
import { Leases } from './leases.ts';
import type { WireKeyValue } from './revisions.ts';
import { SharedQuestion } from './shared-question.ts';
import { refusalOf, toEntry, toTxn, type WireTxn } from './transaction.ts';
import { PROGRESS_KEY, watchedRange, Watches } from './watches.ts';

export interface EtcdOptions extends EtcdConnection {
  /** Stands before every key, so that clusters can share an etcd. */
  readonly prefix?: string;
  readonly retention?: Retention;
}

const PREFIX = '/fairway';
const PREFIX_FORM = /^(\/[^\s/]+)+$/;
/** Entries asked for at once. */
const PAGE = 1000;
/** How long a commit waits until its own watchers have been told, and a reader until the cache has caught up, ms. */
const PATIENCE = 3000;
/** How long the watch is given to bring what etcd's revision promises before it is made to say something, ms. */
const SILENCE = 50;
/** For how many questions a store that shares its etcd with strangers makes it speak at once. */
const STRANGE = 100;

interface RangeAnswer {
  readonly header: { readonly revision: number };
  readonly kvs: readonly WireKeyValue[];
  readonly count: number;
}

/** @throws StoreError when no member answers in time; Error for endpoints or certificates that make no sense */
export async function openEtcdStore(options: EtcdOptions): Promise<Store> {
  const prefix = options.prefix ?? PREFIX;
  if (!PREFIX_FORM.test(prefix)) throw new Error(`not an etcd prefix: ${prefix} (as in ${PREFIX})`);
  const client = new EtcdClient(options);
  try {
    const { revision } = (await range(client, { key: prefix + PROGRESS_KEY })).header;
    return new EtcdStore(client, prefix, revision, await oldestKept(client, prefix, revision), options.retention);
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Removes every key of the prefix, for good. @throws StoreError when no member answers in time */
export async function emptyEtcdStore(options: EtcdOptions): Promise<void> {
  const client = new EtcdClient(options);
  try {
    const all = watchedRange(options.prefix ?? PREFIX);
    await client.call('KV/Txn', { success: [{ requestDeleteRange: all }] }, true);
  } finally {
    client.close();
  }
}

class EtcdStore implements Store {
  readonly shared = true;
  readonly expires = true;
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #watches: Watches;
  readonly #leases: Leases;
  readonly #retention: RetentionTimer;
  readonly #progress = new SharedQuestion(() => this.#catchUp());
  readonly #commits = new Set<Promise<unknown>>();
  #oldest: number;
  #strange = 0;
  #closed = false;

  constructor(client: EtcdClient, prefix: string, revision: number, oldest: number, retention: Retention | undefined) {
    this.#client = client;
    this.#prefix = prefix;
    this.#oldest = oldest;
    this.#leases = new Leases(client);
    this.#watches = new Watches({ client, prefix, revision, newest: () => this.#newestAtLast() });
    this.#retention = new RetentionTimer(this, retention);
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#assertOpen();
    const { kvs } = await range(this.#client, { key: this.#prefix + key });
    return kvs[0] && toEntry(kvs[0], this.#prefix);
  }

  async list(
    prefix: string,
    options: { after?: string; limit?: number; atRevision?: number } = {},
  ): Promise<ListResult> {
    this.#assertOpen();
    const { after, limit = Infinity, atRevision } = options;
    if (atRevision !== undefined && atRevision < this.#oldest) throw new Compacted(atRevision, this.#oldest);
    const from = this.#prefix + (prefix === '' ? '/' : prefix);
    const rangeEnd = prefixEnd(from) ?? '';
    let key = after === undefined || this.#prefix + after < from ? from : `${this.#prefix}${after}\0`;
    let revision = atRevision;
    const entries: Entry[] = [];
    for (;;) {
      const page = Math.min(PAGE, limit - entries.length);
      const answer = await this.#range({ key, rangeEnd, limit: page, ...(revision !== undefined && { revision }) });
      revision ??= answer.header.revision;
      for (const each of answer.kvs) entries.push(toEntry(each, this.#prefix));
      const remaining = answer.count - answer.kvs.length;
      const last = answer.kvs.at(-1);
      if (remaining === 0 || !last || entries.length >= limit) return { entries, revision, remaining };
      key = `${last.key}\0`;
    }
  }

  async commit(operations: readonly Operation[]): Promise<{ revision: number }> {
    assertCommit(operations);
    this.#assertOpen();
    const commit = this.#commit(operations);
    this.#commits.add(commit);
    try {
      return await commit;
    } finally {
      this.#commits.delete(commit);
    }
  }

  watch(
    prefix: string,
    afterRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onLost: (error: Compacted) => void = failOutside,
  ): { close(): void } {
    if (afterRevision < this.#oldest) throw new Compacted(afterRevision, this.#oldest);
    return this.#watches.watch(prefix, afterRevision, onEvents, onLost);
  }

  revision(): number {
    return this.#watches.revision;
  }

  reach(): Promise<number> {
    return this.#progress.ask();
  }

  async compact(asked: number): Promise<void> {
    const revision = Math.min(asked, this.revision());
    if (revision <= this.#oldest) return;
    // Those who still read the past get it first; one that is stuck does not hold up the others.
    await this.#watches.told(revision, PATIENCE);
    try {
      await this.#client.call('KV/Compact', { revision }, true);
    } catch (error) {
      // Another server was faster.
      if (!isCompacted(error)) throw error instanceof GrpcError ? refused(error, this.#client.endpoints) : error;
    }
    this.#oldest = revision;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retention.stop();
    await Promise.allSettled([...this.#commits]);
    this.#watches.close();
    this.#client.close();
  }

  async #commit(operations: readonly Operation[], again = true): Promise<{ revision: number }> {
    const leases = new Map<string, number>();
    for (const operation of operations) {
      if (operation.type === 'put' && operation.ttl !== undefined)
        leases.set(operation.key, await this.#leases.forKey(operation.ttl));
    }
    const txn = toTxn(operations, this.#prefix, leases);
    const changesNothing = operations.every(({ type }) => type === 'check');
    let answer: WireTxn;
    try {
      answer = await this.#client.call<WireTxn>('KV/Txn', txn, changesNothing);
    } catch (error) {
      const leaseGone = error instanceof StoreError && error.message.includes('requested lease not found');
      if (!leaseGone || !again) throw error;
      this.#leases.forget();
      return await this.#commit(operations, false);
    }
    const { revision } = answer.header;
    // A refusal too: it may show what the watchers have yet to see. When the watch is slow the commit stands all the same.
    await this.#watches.told(revision, PATIENCE);
    if (!answer.succeeded) throw refusalOf(operations, answer, this.#prefix);
    return { revision };
  }

  /**
   * Asks for the newest revision and waits for the watch to come to it. The watch is silent about revisions that strangers made in the same
   * etcd, so where it stays silent a key that nobody reads is put: its event can come only behind all others.
   */
  async #catchUp(): Promise<number> {
    const seen = this.revision();
    if (this.#strange === 0) {
      const { revision } = (await range(this.#client, { key: this.#prefix + PROGRESS_KEY })).header;
      this.#assertForward(seen, revision);
      if (await this.#watches.told(revision, SILENCE, true)) return await this.#whenTold(revision);
      this.#strange = STRANGE;
    }
    this.#strange -= 1;
    const put = { success: [{ requestPut: { key: this.#prefix + PROGRESS_KEY } }] };
    const { revision } = (await this.#client.call<WireTxn>('KV/Txn', put, true)).header;
    this.#assertForward(seen, revision);
    return await this.#whenTold(revision);
  }

  async #whenTold(revision: number): Promise<number> {
    if (await this.#watches.told(revision, PATIENCE)) return revision;
    throw unavailable(this.#client.endpoints, 'its watch is behind');
  }

  async #range(request: { key: string; rangeEnd: string; limit: number; revision?: number }): Promise<RangeAnswer> {
    try {
      return await range(this.#client, request);
    } catch (error) {
      const asked = request.revision ?? 0;
      if (isFuture(error)) assertReachable(asked, this.#oldest, this.revision());
      if (!isCompacted(error)) throw error;
      this.#oldest = Math.max(this.#oldest, await oldestKept(this.#client, this.#prefix, this.revision()));
      throw new Compacted(asked, this.#oldest);
    }
  }

  async #newestAtLast(): Promise<number> {
    for (;;) {
      try {
        return (await range(this.#client, { key: this.#prefix + PROGRESS_KEY })).header.revision;
      } catch (error) {
        if (this.#closed) return 0;
        if (!(error instanceof StoreError)) throw error;
      }
    }
  }

  /** What is in memory is of another time: what was told here may never have happened there. */
  #assertForward(seen: number, revision: number): void {
    if (revision >= seen) return;
    throw new StoreError(
      'failed',
      `the datastore at ${this.#client.endpoints} has gone back from revision ${String(seen)} to ${String(revision)}: it was replaced, or a backup was put back; start the server again`,
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error(`the store ${this.#client.endpoints} is closed`);
  }
}

async function range(client: EtcdClient, request: object): Promise<RangeAnswer> {
  return await client.call<RangeAnswer>('KV/Range', request, true);
}

/** The oldest revision that can still be listed; 0 when nothing has been compacted yet. etcd does not tell it, but knows when asked too far. */
async function oldestKept(client: EtcdClient, prefix: string, revision: number): Promise<number> {
  let low = 1;
  let high = revision;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    try {
      await range(client, { key: prefix + PROGRESS_KEY, revision: middle, serializable: true, keysOnly: true });
      high = middle;
    } catch (error) {
      if (!isCompacted(error)) throw error;
      low = middle + 1;
    }
  }
  return low === 1 ? 0 : low;
}

function failOutside(error: Compacted): void {
  queueMicrotask(() => {
    throw error;
  });
}
