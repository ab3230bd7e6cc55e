/**
 * A bounded map that keeps what is used (segmented LRU): what comes in is on trial, what is found again is kept, and room is made among those on trial first. So
 * one who asks for a million names once each drives out his own, and not what everybody asks for.
 */
export interface Weighed {
  /** Bytes. */
  readonly weight: number;
}

/** Of the entries, how many may be beyond trial. */
const KEPT_SHARE = 0.8;

export class SegmentedMap<Value extends Weighed> {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #onEvict: () => void;
  /** Both in the order of last use. */
  readonly #trial = new Map<string, Value>();
  readonly #kept = new Map<string, Value>();
  #bytes = 0;

  /** @param onEvict told of each entry that made room for others */
  constructor(capacity: number, maxBytes: number, onEvict: () => void = () => undefined) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#trial.size + this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts as a use. */
  get(key: string): Value | undefined {
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const tried = this.#trial.get(key);
    if (!tried) return undefined;
    this.#trial.delete(key);
    this.#kept.set(key, tried);
    if (this.#kept.size > this.#capacity * KEPT_SHARE) this.#demote();
    return tried;
  }

  /** Not a use. */
  peek(key: string): Value | undefined {
    return this.#kept.get(key) ?? this.#trial.get(key);
  }

  set(key: string, value: Value): void {
    const wasKept = this.#kept.has(key);
    this.delete(key);
    (wasKept ? this.#kept : this.#trial).set(key, value);
    this.#bytes += value.weight;
    while (this.size > this.#capacity || this.#bytes > this.#maxBytes) {
      this.#evict();
    }
  }

  delete(key: string): void {
    const value = this.peek(key);
    if (value === undefined) return;
    this.#trial.delete(key);
    this.#kept.delete(key);
    this.#bytes -= value.weight;
  }

  #evict(): void {
    const [oldest] = this.#trial.size > 0 ? this.#trial.keys() : this.#kept.keys();
    if (oldest === undefined) return;
    this.delete(oldest);
    this.#onEvict();
  }

  /** The one that was not used for longest is on trial again. */
  #demote(): void {
    const [oldest] = this.#kept;
    if (!oldest) return;
    this.#kept.delete(oldest[0]);
    this.#trial.set(...oldest);
  }
}
