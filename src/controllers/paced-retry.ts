/** Something that may be tried again and again, but more and more rarely as long as it keeps failing. Times in ms. */
interface Attempt {
  readonly notBefore: number;
  readonly delay: number;
}

export class PacedRetry {
  readonly #initial: number;
  readonly #max: number;
  readonly #attempts = new Map<string, Attempt>();
  constructor(initial: number, max: number) {
    this.#initial = initial;
    this.#max = max;
  }

  /** 0: go ahead, and the next attempt waits twice as long as this one; otherwise how long to wait. Forgets after a long peace. */
  tryAgain(key: string, now: number): number {
    const last = this.#attempts.get(key);
    if (last && last.notBefore > now) return last.notBefore - now;
    for (const [other, { notBefore }] of this.#attempts) {
      if (now - notBefore > 2 * this.#max) this.#attempts.delete(other);
    }
    const delay = this.#attempts.has(key) && last ? Math.min(this.#max, last.delay * 2) : this.#initial;
    this.#attempts.set(key, { notBefore: now + delay, delay });
    return 0;
  }
}
