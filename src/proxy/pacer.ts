/**
 * When to sync: at once after a quiet time, and during a burst as often as half the time allows, so that many changes share one
 * sync and no single change waits long (3-025). A failed sync is tried again with growing delays, and a change cuts these short.
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
/** ms after a failure in which a change may be tried: what failed may be what has changed. */
const CHANGED_RETRY = 1000;

export class Pacer {
  readonly #options: PacerOptions;
  readonly #backoff: Backoff;
  #state: 'idle' | 'starting' | 'running' | 'resting' = 'idle';
  #wanted = false;
  #stopped = false;
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  /** When the sync ended that failed, while it waits for more than CHANGED_RETRY. */
  #failedAt: number | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ initial: 100, max: options.maxRetry ?? 30_000 });
  }

  /** Something changed: a sync that has not read it yet will follow. */
  trigger(): void {
    if (this.#stopped) return;
    this.#wanted = true;
    if (this.#failedAt !== undefined) this.#hurry(this.#failedAt);
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
      if (pause > CHANGED_RETRY) this.#failedAt = clock.now();
    }
    if (this.#stopped) return;
    this.#state = 'resting';
    this.#rest(pause);
  }

  #rest(pause: number): void {
    this.#cancel = this.#options.clock.after(pause, () => {
      this.#failedAt = undefined;
      this.#state = 'idle';
      if (this.#wanted) this.#start();
    });
  }

  /** Once in a rest: further changes find it as short as it gets. */
  #hurry(failedAt: number): void {
    this.#failedAt = undefined;
    this.#cancel();
    const { clock, minInterval = 0 } = this.#options;
    this.#rest(Math.max(0, failedAt + Math.max(CHANGED_RETRY, minInterval) - clock.now()));
  }
}
