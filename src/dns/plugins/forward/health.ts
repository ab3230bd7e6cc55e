/** Whether an upstream is well: asked only after it failed, again and again until it answers (feature 4-051). */
import type { Clock } from '../../../lib/clock.ts';

export interface HealthOptions {
  readonly clock: Clock;
  /** Between the end of one probe and the next. */
  readonly intervalMs: number;
  /** Failed probes in a row that make it down; 0: never down, never probed. */
  readonly maxFails: number;
  /** True: an answer came, whatever it said. Never rejects. */
  readonly probe: () => Promise<boolean>;
  readonly onFailure?: () => void;
  /** When it goes down or comes back. */
  readonly onTurn?: (isDown: boolean) => void;
}

export class Health {
  readonly #options: HealthOptions;
  #fails = 0;
  #probing = false;
  #stopped = false;
  #cancel: (() => void) | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get isDown(): boolean {
    return this.#options.maxFails > 0 && this.#fails >= this.#options.maxFails;
  }

  /** It failed, and no probe has said yet that this was nothing: others are better asked first. */
  get isDoubtful(): boolean {
    return this.#probing;
  }

  /** Told when a question went wrong. */
  failed(): void {
    if (this.#options.maxFails === 0 || this.#probing || this.#stopped) return;
    this.#probing = true;
    void this.#probe();
  }

  async #probe(): Promise<void> {
    const isWell = await this.#options.probe();
    if (this.#stopped) return;
    const wasDown = this.isDown;
    this.#fails = isWell ? 0 : this.#fails + 1;
    if (!isWell) this.#options.onFailure?.();
    if (wasDown !== this.isDown) this.#options.onTurn?.(this.isDown);
    if (isWell) {
      this.#probing = false;
      return;
    }
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => void this.#probe(), true);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }
}
