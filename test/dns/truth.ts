/**
 * What a name's answer could truthfully have been, and when. Writes take time: a state may show itself from the moment its write was
 * sent, and must not any more once the write after it was acknowledged. Pure.
 */

/** An answer as one word to compare: `NXDOMAIN`, `10.96.0.7`, `CNAME a.example.`. */
export type Value = string;

interface State {
  readonly value: Value;
  /** ms: when the write that made it was sent. */
  readonly from: number;
  /** When the write that ended it was acknowledged. */
  until: number;
}

export type Judgement =
  /** `until`: when what was answered had ended; Infinity where it is still so. `staleness`: how long before the question that was, ms. */
  { readonly isTrue: true; readonly until: number; readonly staleness: number } | { readonly isTrue: false };

export interface Write {
  acknowledged(at: number): void;
  /** It has not happened, and will not any more. */
  failed(): void;
}

export class Truth {
  #states: State[];

  constructor(value: Value) {
    this.#states = [{ value, from: -Infinity, until: Infinity }];
  }

  /** The last state whose write was sent. */
  get now(): Value {
    return this.#states.at(-1)?.value ?? '';
  }

  /** One at a time for each name: the next only when this one is acknowledged or has failed. */
  sent(value: Value, at: number): Write {
    const before = this.#states.at(-1);
    const state: State = { value, from: at, until: Infinity };
    this.#states.push(state);
    return {
      acknowledged(when) {
        if (before) before.until = when;
      },
      failed: () => {
        this.#states = this.#states.filter((other) => other !== state);
      },
    };
  }

  /** @param asked when the question was sent @param heard when the answer was there */
  judge(value: Value, asked: number, heard: number): Judgement {
    const untils = this.#states
      .filter((state) => state.value === value && state.from <= heard)
      .map(({ until }) => until);
    if (untils.length === 0) return { isTrue: false };
    const until = Math.max(...untils);
    return { isTrue: true, until, staleness: Math.max(0, asked - until) };
  }
}
