/**
 * Delivers events to watchers, the same for every engine: first the past, read from the engine's history in slices with the event
 * loop let go in between, then live. Invariant: a watcher gets revision r only after all it should get below r, and never twice.
 */
import type { StoreEvent } from './store.ts';

/** Events of keys under `prefix` with `after` < revision <= `through`, in order. */
export type ReadHistory = (prefix: string, after: number, through: number) => StoreEvent[];

type OnEvents = (events: readonly StoreEvent[]) => void;

interface Watcher {
  readonly prefix: string;
  readonly onEvents: OnEvents;
  /** Everything up to this revision has been delivered or did not concern it. */
  seen: number;
  closed: boolean;
}

/** Revisions read from history in one go: some milliseconds of work. */
const SLICE = 500;

export class WatchHub {
  readonly #read: ReadHistory;
  #revision: number;
  /** Live watchers by prefix, so that events are filtered once per prefix and not once per watcher. */
  readonly #live = new Map<string, Set<Watcher>>();
  readonly #catchingUp = new Set<Watcher>();

  /** `revision`: the last one published so far. */
  constructor(read: ReadHistory, revision: number) {
    this.#read = read;
    this.#revision = revision;
  }

  /** Nothing is delivered before this returns. */
  watch(prefix: string, afterRevision: number, onEvents: OnEvents): { close(): void } {
    const watcher: Watcher = { prefix, onEvents, seen: afterRevision, closed: false };
    if (afterRevision >= this.#revision) this.#goLive(watcher);
    else {
      this.#catchingUp.add(watcher);
      setImmediate(() => {
        this.#catchUp(watcher);
      });
    }
    return {
      close: () => {
        watcher.closed = true;
        this.#catchingUp.delete(watcher);
        const peers = this.#live.get(prefix);
        peers?.delete(watcher);
        if (peers?.size === 0) this.#live.delete(prefix);
      },
    };
  }

  /** Tells live watchers of one new revision, at once. Call in the order of revisions. */
  publish(revision: number, events: readonly StoreEvent[]): void {
    this.#revision = revision;
    for (const [prefix, watchers] of this.#live) {
      const theirs = events.filter((event) => event.key.startsWith(prefix));
      if (theirs.length > 0) for (const watcher of watchers) this.#deliver(watcher, revision, theirs);
    }
  }

  /** Lets everybody who still reads the past finish at once: called before the past is dropped. */
  finishCatchUps(): void {
    for (const watcher of this.#catchingUp) while (!this.#step(watcher));
  }

  closeAll(): void {
    for (const watcher of this.#catchingUp) watcher.closed = true;
    for (const watchers of this.#live.values()) for (const watcher of watchers) watcher.closed = true;
    this.#catchingUp.clear();
    this.#live.clear();
  }

  #catchUp(watcher: Watcher): void {
    if (this.#step(watcher)) return;
    setImmediate(() => {
      this.#catchUp(watcher);
    });
  }

  /** One slice of the past. True when there is no more to do: live now, or closed. */
  #step(watcher: Watcher): boolean {
    if (!this.#catchingUp.has(watcher)) return true;
    const through = Math.min(this.#revision, watcher.seen + SLICE);
    const events = this.#read(watcher.prefix, watcher.seen, through);
    for (let at = 0; at < events.length;) {
      const { revision } = events[at] ?? { revision: 0 };
      let end = at;
      while (events[end]?.revision === revision) end += 1;
      this.#deliver(watcher, revision, events.slice(at, end));
      at = end;
    }
    watcher.seen = Math.max(watcher.seen, through);
    // Asked again, because a handler may have closed it, or committed more.
    if (watcher.closed) return true;
    if (watcher.seen < this.#revision) return false;
    this.#catchingUp.delete(watcher);
    this.#goLive(watcher);
    return true;
  }

  #goLive(watcher: Watcher): void {
    const peers = this.#live.get(watcher.prefix);
    if (peers) peers.add(watcher);
    else this.#live.set(watcher.prefix, new Set([watcher]));
  }

  /** A handler's mistake is thrown outside, where it ends the process: the others still get their events first. */
  #deliver(watcher: Watcher, revision: number, events: readonly StoreEvent[]): void {
    if (watcher.closed || revision <= watcher.seen) return;
    watcher.seen = revision;
    try {
      watcher.onEvents(events);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
