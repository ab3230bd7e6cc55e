/** Keeps the log readable while one trouble lasts: it is told at once, and then once a minute. */
import type { Clock } from './clock.ts';

/** ms. */
const QUIET = 60_000;

export class Complaint {
  readonly #clock: Clock;
  #text: string | undefined;
  #toldAt = 0;
  #untold = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `say` is called unless the same text was told less than a minute ago; `repeats` is how often it was not, since then. Of trouble
   * whose words change all the time each counts as the first: give such a text that does not.
   */
  raise(text: string, say: (repeats: number) => void): void {
    const now = this.#clock.now();
    if (text === this.#text && now - this.#toldAt < QUIET) {
      this.#untold++;
      return;
    }
    const repeats = text === this.#text ? this.#untold : 0;
    this.#text = text;
    this.#toldAt = now;
    this.#untold = 0;
    say(repeats);
  }

  /** It is over. True when it had been told of. */
  clear(): boolean {
    const was = this.#text !== undefined;
    this.#text = undefined;
    return was;
  }
}
