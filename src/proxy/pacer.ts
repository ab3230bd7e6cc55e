/**
 * When to sync: at once after a quiet time, and during a burst as often as half the time allows, so that many changes share one
 * sync and no single change waits long (3-025). A failed sync is tried again with growing delays.
 */
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

export interface PacerOptions {
  readonly run: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
  /** ms between the end of a sync and the start of the next; if that is less, as long as the last one took, up to MAX_REST. */
  readonly minInterval?: number;
  /** Longest delay before a failed sync is tried again, ms; default 30 s. */
  readonly maxRetry?: number;
}

/** ms. More would be felt by somebody who waits for a change. */
const MAX_REST = 50;

export class Pacer {
  readonly #options: PacerOptions;
  readonly #backoff: Backoff;
  #state: 'idle' | 'starting' | 'running' | 'resting' = 'idle';
  #wanted = false;
  #stopped = false;
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ initial: 100, max: options.maxRetry ?? 30_000 });
  }

  /** Something changed: a sync that has not read it yet will follow. */
  trigger(): void {
    if (this.#stopped) return;
    this.#wanted = true;
    if (this.#state !== 'idle') return;
    this.#state = 'starting';
    // one turn later: events that came in the same read of the socket are taken together
    this.#cancel = this.#options.clock.after(0, () => {
      this.#start();
    });
  }

  /** Resolves when the sync under way, if any, has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #start(): void {
    this.#running = this.#round();
  }

  async #round(): Promise<void> {
    const { clock, run, onError, minInterval = 0 } = this.#options;
    this.#state = 'running';
    this.#wanted = false;
    const start = clock.now();
    let pause: number;
    try {
      await run();
      this.#backoff.reset();
      pause = Math.max(minInterval, Math.min(clock.now() - start, MAX_REST));
    } catch (error) {
      onError(error);
      this.#wanted = true;
      pause = this.#backoff.next();
    }
    if (this.#stopped) return;
    this.#state = 'resting';
    this.#cancel = clock.after(pause, () => {
      this.#state = 'idle';
      if (this.#wanted) this.#start();
    });
  }
}
