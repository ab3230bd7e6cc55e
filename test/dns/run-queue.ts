/**
 * How long processes were ready to run and did not, because others had the processors (/proc/PID/schedstat). On a busy machine that time is
 * nobody's fault, and what is measured can be freed from it without guessing.
 */
import { readFileSync } from 'node:fs';

const now = (): number => performance.timeOrigin + performance.now();

export class RunQueue {
  readonly #pids: readonly number[];
  readonly #samples: { readonly at: number; readonly waited: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  /** Of the main threads of these processes. */
  constructor(pids: readonly number[], every = 5) {
    this.#pids = pids;
    this.#sample();
    this.#timer = setInterval(() => {
      this.#sample();
    }, every);
  }

  /** ms they waited together, from a little before `from` to a little after `to` (ms since the epoch). */
  waited(from: number, to: number): number {
    this.#sample();
    const before = this.#samples.findLast(({ at }) => at <= from) ?? this.#samples[0];
    const after = this.#samples.find(({ at }) => at >= to) ?? this.#samples.at(-1);
    return (after?.waited ?? 0) - (before?.waited ?? 0);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    let waited = 0;
    for (const pid of this.#pids) {
      try {
        waited += Number(readFileSync(`/proc/${String(pid)}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
      } catch {
        // It has ended: what it waited before is lost, and counts for nobody.
      }
    }
    this.#samples.push({ at: now(), waited });
  }
}
