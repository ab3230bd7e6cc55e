/** Time as a value one can pass in: the core never reads the clock itself. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `ms`; returns the cancel. A real clock's timers do not keep the process alive when `unref` is true. */
  after(ms: number, callback: () => void, unref?: boolean): () => void;
}

/** ms, about 25 days: what a timer of the platform can hold. Asked for more it fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, callback, unref = false) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      const part = Math.min(left, LONGEST_TIMER);
      const next = () => {
        wait(left - part);
      };
      timer = setTimeout(left > part ? next : callback, part);
      if (unref) timer.unref();
    };
    wait(ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** A clock that stands still until told: `advance(ms)` runs what falls due, in order. */
export class FakeClock implements Clock {
  #now: number;
  #timers: { at: number; callback: () => void }[] = [];
  constructor(now = 0) {
    this.#now = now;
  }
  now(): number {
    return this.#now;
  }
  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}

/** RFC 3339 in UTC to the second, as Kubernetes writes metav1.Time. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
