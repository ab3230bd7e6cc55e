/**
 * The loop under every controller: keys in, `reconcile(key)` out, one key at a time, level-triggered. Adding a key that waits
 * already changes nothing; adding one that is being reconciled makes it run once more afterwards.
 */
import { Backoff, type BackoffOptions } from './backoff.ts';
import { realClock, type Clock } from './clock.ts';
import type { Log } from './log.ts';

/**
 * What one reconcile came to. `done`: nothing more until something changes. `retryAfter`: look again in so many ms.
 * `stuck`: cannot go on until something changes, and why (logged once per reason).
 */
export type Outcome = { readonly done: true } | { readonly retryAfter: number } | { readonly stuck: string };

export const done: Outcome = { done: true };
export const retryAfter = (ms: number): Outcome => ({ retryAfter: ms });
export const stuck = (why: string): Outcome => ({ stuck: why });

export interface WorkQueueOptions {
  /** How many different keys may be reconciled at once; 1 where absent. One key never runs twice at once. */
  readonly concurrency?: number;
  /** A throw counts as a failure: logged, and tried again after the back-off. */
  readonly reconcile: (key: string) => Promise<Outcome>;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Delays after throws in a row of one key; 20 ms doubling to 30 s where absent. */
  readonly backoff?: BackoffOptions;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** Keys to run, oldest first. Invariant: never one that is in #running. */
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  /** Added while running: go to #ready when the run ends. */
  readonly #again = new Set<string>();
  /** Keys that wait for a time. Invariant: at most one timer per key, the earliest asked for. */
  readonly #timers = new Map<string, { at: number; cancel: () => void }>();
  readonly #stuck = new Map<string, string>();
  #state: 'new' | 'started' | 'stopped' = 'new';
  #idleWaiters: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#backoff = new Backoff(options.backoff ?? { initial: 20, max: 30_000 });
  }

  add(key: string): void {
    if (this.#state === 'stopped') return;
    if (this.#running.has(key)) this.#again.add(key);
    else this.#ready.add(key);
    this.#pump();
  }

  /** Adds `key` in `ms`. Of several times for one key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#state === 'stopped') return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + ms;
    const waiting = this.#timers.get(key);
    if (waiting && waiting.at <= at) return;
    waiting?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { at, cancel });
  }

  /** Until then keys only gather: typically called once the informers have synced. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    this.#pump();
  }

  /** Forgets what waits, lets what runs end. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#ready.clear();
    this.#again.clear();
    await this.idle();
  }

  /** Resolves when nothing is ready or running. Keys that wait for a time (`addAfter`, a retry) do not count. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Keys ready or running: the depth of the queue. */
  get depth(): number {
    return this.#ready.size + this.#running.size;
  }

  /** Keys whose last outcome was `stuck`, with the reason. */
  get stuckKeys(): ReadonlyMap<string, string> {
    return this.#stuck;
  }

  #isIdle(): boolean {
    return this.#ready.size === 0 && this.#running.size === 0;
  }

  #pump(): void {
    if (this.#state !== 'started') return;
    for (const key of this.#ready) {
      if (this.#running.size >= (this.#options.concurrency ?? 1)) return;
      this.#ready.delete(key);
      this.#running.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      this.#settle(key, await this.#options.reconcile(key));
    } catch (error) {
      const delay = this.#backoff.next(key);
      this.#options.log?.warn({ key, err: error, retryInMs: delay }, 'reconcile failed, will try again');
      this.addAfter(key, delay);
    }
    this.#running.delete(key);
    if (this.#again.delete(key)) this.#ready.add(key);
    this.#pump();
    if (!this.#isIdle()) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }

  #settle(key: string, outcome: Outcome): void {
    this.#backoff.reset(key);
    if ('stuck' in outcome) {
      if (this.#stuck.get(key) !== outcome.stuck) this.#options.log?.warn({ key, why: outcome.stuck }, 'stuck');
      this.#stuck.set(key, outcome.stuck);
      return;
    }
    this.#stuck.delete(key);
    if ('retryAfter' in outcome) this.addAfter(key, outcome.retryAfter);
  }
}
