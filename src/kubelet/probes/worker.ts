/** One probe of one container: when it runs, and what its outcomes add up to. */
import type { Core } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ProbeResult } from '../parts.ts';
import {
  conclude,
  initialConclusion,
  probeTimes,
  type Conclusion,
  type ProbeTimes,
  type ProbeType,
} from './conclusion.ts';
import type { Outcome } from './outcome.ts';

export interface WorkerOptions {
  readonly type: ProbeType;
  readonly probe: Core.Probe;
  readonly clock: Clock;
  /** Of the container, ms since the epoch: the initial delay counts from here (7-008). */
  readonly startedAt: number;
  /** Extra ms before the first run, to spread the probes of a kubelet that has just started (7-007). */
  readonly spread: number;
  /** What is known from before, for a container found running. */
  readonly known?: ProbeResult;
  readonly run: (probe: Core.Probe, timeoutMs: number, signal: AbortSignal) => Promise<Outcome>;
  /** Called for every outcome, with whether the conclusion changed. */
  readonly onOutcome: (outcome: Outcome, changed: boolean) => void;
}

export class ProbeWorker {
  readonly #options: WorkerOptions;
  readonly #times: ProbeTimes;
  readonly #abort = new AbortController();
  #conclusion: Conclusion;
  #cancel: (() => void) | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#times = probeTimes(options.probe);
    const { type, known, startedAt, spread, clock } = options;
    const fresh = initialConclusion(type);
    this.#conclusion = known === undefined ? fresh : { ...fresh, result: known };
    const due = Math.max(clock.now(), startedAt + this.#times.initialDelay) + spread;
    this.#runAt(due);
  }

  get result(): ProbeResult {
    return this.#conclusion.result;
  }

  stop(): void {
    this.#cancel?.();
    this.#abort.abort();
  }

  #runAt(time: number): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(Math.max(0, time - clock.now()), () => {
      void this.#run(time);
    });
  }

  /** One run at a time: a slow one makes the next late, never double. */
  async #run(scheduled: number): Promise<void> {
    const { run, probe, clock, type, onOutcome } = this.#options;
    const outcome = await run(probe, this.#times.timeout, this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    const before = this.#conclusion;
    if (outcome.result !== 'error') {
      this.#conclusion = conclude(type, this.#times, before, outcome.result);
    }
    if (!this.#conclusion.done) this.#runAt(Math.max(clock.now(), scheduled + this.#times.period));
    onOutcome(outcome, this.#conclusion.result !== before.result);
  }
}
