/**
 * All objects of one stored kind in key order, a bounded past of their changes, and who wants to hear of the next ones.
 */
import { expired } from '../api/api-error.ts';
import type { Kind } from '../api/kinds.ts';
import { Entry } from './entry.ts';

/** One change. For a delete `entry` is the last state under the revision of the deletion. */
export interface CacheEvent {
  readonly type: 'put' | 'delete';
  readonly revision: number;
  readonly entry: Entry;
  readonly previous: Entry | undefined;
}

export type Listener = (event: CacheEvent) => void;

/** Changes kept for watchers that come back. Older ones must list again (feature 8-049). */
const PAST = 2000;

export class KindCache {
  kind: Kind;
  /** Every change with a greater revision is in the past kept here. */
  floor: number;
  /** Revision of the last change to this kind. */
  lastChange: number;
  readonly listeners = new Set<Listener>();
  /** Called when changes have been missed or the kind is another now: these listeners are to end, and their readers to list again. */
  readonly ends = new Set<() => void>();
  readonly #byKey = new Map<string, Entry>();
  /** In key order. */
  #sorted: Entry[] = [];
  #past: CacheEvent[] = [];

  constructor(kind: Kind, revision: number) {
    this.kind = kind;
    this.floor = revision;
    this.lastChange = revision;
  }

  /** For the first filling: entries come in key order and are not announced. */
  load(entry: Entry): void {
    this.#byKey.set(entry.key, entry);
    this.#sorted.push(entry);
  }

  /** From now on the objects are read by another row of the same kind. */
  redefine(kind: Kind): void {
    this.kind = kind;
    this.#sorted = this.#sorted.map(({ key, text, revision }) => new Entry(kind, key, text, revision));
    for (const entry of this.#sorted) this.#byKey.set(entry.key, entry);
    this.forgetPast(this.lastChange);
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Entries whose key starts with `prefix`, in key order, behind `after`. */
  range(prefix: string, after?: string): Entry[] {
    const start = this.#lowerBound(after === undefined || after < prefix ? prefix : `${after}\0`);
    return this.#sorted.slice(start, this.#lowerBound(`${prefix}\uffff`));
  }

  apply(event: CacheEvent): void {
    const { key } = event.entry;
    const at = this.#lowerBound(key);
    const present = this.#sorted[at]?.key === key ? 1 : 0;
    if (event.type === 'put') {
      this.#byKey.set(key, event.entry);
      this.#sorted.splice(at, present, event.entry);
    } else {
      this.#byKey.delete(key);
      this.#sorted.splice(at, present);
    }
    this.lastChange = event.revision;
    this.#remember(event);
    for (const listener of [...this.listeners]) listener(event);
  }

  /** Changes up to `revision` have been missed: nobody can go on from before it. */
  forgetPast(revision: number): void {
    this.floor = revision;
    this.#past = [];
    for (const end of [...this.ends]) end();
  }

  /** Changes after `revision`, oldest first. Throws Expired when some are no longer kept. */
  since(revision: number): CacheEvent[] {
    if (revision < this.floor)
      throw expired(`too old resource version: ${String(revision)} (${String(this.floor + 1)})`);
    let low = 0;
    let high = this.#past.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#past[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return this.#past.slice(low);
  }

  /** Trims in big steps, so that a change costs the same however long the past is; never between two events of one revision. */
  #remember(event: CacheEvent): void {
    this.#past.push(event);
    if (this.#past.length < 2 * PAST) return;
    const floor = this.#past[PAST - 1]?.revision ?? event.revision;
    this.floor = floor;
    this.#past = this.#past.filter((kept) => kept.revision > floor);
  }

  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle]?.key ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
