/** How long to wait before trying again: grows with every failure in a row, per key. */
export interface BackoffOptions {
  /** First delay, ms. */
  readonly initial: number;
  /** Longest delay, ms. */
  readonly max: number;
  /** Growth per failure; 2 where absent. */
  readonly factor?: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #failures = new Map<string, number>();

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Counts one more failure of `key` and returns the delay to take, ms. */
  next(key = ''): number {
    const { initial, max, factor = 2 } = this.#options;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    // Infinity is fine: min() brings it back.
    return Math.min(max, initial * factor ** failures);
  }

  /** After a success: the next failure waits `initial` again. Keys that were not failing cost nothing. */
  reset(key = ''): void {
    this.#failures.delete(key);
  }

  /** Failures of `key` in a row so far. */
  failures(key = ''): number {
    return this.#failures.get(key) ?? 0;
  }
}
