/** Answers by question, for as long as they live and a while longer where stale ones are told; bounded in number and in memory. Effect-free: time is given. */
import type { Dependency, Reply } from '../../plugin.ts';
import type { Message, Question } from '../../wire/message.ts';
import { isInZone } from '../../routing/zone-list.ts';
import { kindOf, ttlOf, weightOf, type Kind } from './lifetime.ts';
import type { CacheOptions } from './options.ts';
import { SegmentedMap } from './segmented-map.ts';

export interface Entry {
  readonly key: string;
  readonly kind: Kind;
  readonly message: Message;
  /** Of the answer's origin, for people. */
  readonly source?: string;
  /** Milliseconds. */
  readonly storedAt: number;
  /** Seconds it lives, all told. */
  readonly ttl: number;
  readonly weight: number;
  readonly until?: readonly Dependency[];
  /** How often it was asked for without a gap, and when last: kept when it is fetched anew. */
  hits: number;
  hitAt: number;
  /** Present while it is fetched anew. */
  refresh: Promise<Reply | undefined> | undefined;
  /** When that was last tried, milliseconds. */
  triedAt: number;
}

/** What sets one question apart from another, beside its text: signatures wanted, unchecked data taken. */
export interface Bits {
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** Half of it for each kind. */
const MAX_BYTES = 32 << 20;
const SWEPT_AT = 1000;

export interface CacheEvents {
  readonly onEvict?: (kind: 'success' | 'denial') => void;
  /** Bytes; 32 MiB where absent. */
  readonly maxBytes?: number;
}

export class AnswerCache {
  readonly #options: CacheOptions;
  readonly #success: SegmentedMap<Entry>;
  /** Failures too. */
  readonly #denial: SegmentedMap<Entry>;
  /** Keys of what ends with a change of the cluster. */
  readonly #dependents = new Map<Dependency, Set<string>>();
  #sweepAt = SWEPT_AT;

  constructor(options: CacheOptions, { onEvict, maxBytes = MAX_BYTES }: CacheEvents = {}) {
    this.#options = options;
    const make = (kind: 'success' | 'denial') =>
      new SegmentedMap<Entry>(options[kind].capacity, maxBytes / 2, () => onEvict?.(kind));
    this.#success = make('success');
    this.#denial = make('denial');
  }

  get sizes(): { readonly success: number; readonly denial: number } {
    return { success: this.#success.size, denial: this.#denial.size };
  }

  /** With its life over it is there only where stale answers are told, and for so long. */
  get(key: string, now: number): Entry | undefined {
    const entry = this.#denial.get(key) ?? this.#success.get(key);
    if (!entry || this.#isUsable(entry, now)) return entry;
    this.#drop(key);
    return undefined;
  }

  /** Undefined: it is not to be kept. @param until what ends it before its time */
  put(key: string, question: Question, told: Told, now: number): Entry | undefined {
    const { message, source, until } = told;
    const kind = kindOf(message);
    if (kind === undefined || this.#isDisabled(kind, question.name)) return undefined;
    const ttl = ttlOf(kind, message, this.#options);
    if (ttl <= 0) return undefined;
    const before = this.#peek(key);
    // A failure says nothing new about a name that something is known about.
    if (kind === 'servfail' && before && before.kind !== 'servfail' && this.#isUsable(before, now)) return undefined;
    const entry: Entry = {
      key,
      kind,
      message,
      storedAt: now,
      ttl,
      weight: weightOf(message) + 2 * key.length,
      ...(source !== undefined && { source }),
      ...(until && { until }),
      hits: before?.hits ?? 0,
      hitAt: before?.hitAt ?? now,
      refresh: undefined,
      triedAt: -Infinity,
    };
    this.#drop(key);
    (kind === 'success' ? this.#success : this.#denial).set(key, entry);
    for (const dependency of until ?? []) this.#depend(dependency, key);
    return entry;
  }

  /** Undefined: everything that depends on anything. */
  forget(dependency: Dependency | undefined): void {
    const all = dependency === undefined ? [...this.#dependents.keys()] : [dependency];
    for (const each of all) {
      const keys = this.#dependents.get(each);
      this.#dependents.delete(each);
      for (const key of keys ?? []) if (this.#holds(key, each)) this.#drop(key);
    }
  }

  #isUsable({ kind, storedAt, ttl }: Entry, now: number): boolean {
    const overdue = now - storedAt - ttl * 1000;
    return overdue < 0 || (kind !== 'servfail' && overdue < (this.#options.stale?.upToMs ?? 0));
  }

  #peek(key: string): Entry | undefined {
    return this.#denial.peek(key) ?? this.#success.peek(key);
  }

  #isDisabled(kind: Kind, name: string): boolean {
    const zones = this.#options.disabled[kind === 'success' ? 'success' : 'denial'];
    return zones.some((zone) => isInZone(name, zone));
  }

  #drop(key: string): void {
    this.#success.delete(key);
    this.#denial.delete(key);
  }

  #depend(dependency: Dependency, key: string): void {
    const keys = this.#dependents.get(dependency) ?? new Set();
    // What was driven out is left behind here: swept when it has become much.
    if (keys.size >= SWEPT_AT) for (const old of keys) if (!this.#holds(old, dependency)) keys.delete(old);
    keys.add(key);
    this.#dependents.set(dependency, keys);
    if (this.#dependents.size >= this.#sweepAt) this.#sweep();
  }

  #sweep(): void {
    for (const [dependency, keys] of this.#dependents) {
      for (const key of keys) if (!this.#holds(key, dependency)) keys.delete(key);
      if (keys.size === 0) this.#dependents.delete(dependency);
    }
    this.#sweepAt = Math.max(SWEPT_AT, this.#dependents.size * 2);
  }

  #holds(key: string, dependency: Dependency): boolean {
    return this.#peek(key)?.until?.includes(dependency) ?? false;
  }
}

export interface Told {
  readonly message: Message;
  readonly source?: string;
  readonly until?: readonly Dependency[];
}

/** Two questions with one key have one answer. */
export function keyOf({ name, type }: Question, { dnssecOk, checkingDisabled }: Bits): string {
  return `${String(type)} ${dnssecOk ? 'd' : ''}${checkingDisabled ? 'c' : ''} ${name.toLowerCase()}`;
}
