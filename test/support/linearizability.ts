/**
 * Is a history of reads and conditional writes explained by one register per key that does one thing at a time? (Herlihy and Wing 1990; the
 * search is Wing and Gong's with Lowe's memory of what was tried.) Every written value is unique, so a value says which write it came from. Pure.
 */

/** `undefined`: the object does not exist. */
export type State = string | undefined;

interface Common {
  readonly client: string;
  readonly key: string;
  /** Milliseconds on one clock: when it was sent, and when its answer was there. */
  readonly invoked: number;
  readonly responded: number;
}

/** A write whose `outcome` is `unknown` may have been carried out at any time after it was sent, or never. */
export type Op = Common &
  (
    | { readonly type: 'read'; readonly seen: State }
    | { readonly type: 'create'; readonly next: string; readonly outcome: 'ok' | 'exists' | 'unknown' }
    | (Condition & { readonly type: 'update'; readonly next: string })
    | (Condition & { readonly type: 'delete' })
  );

/** Done only where the object is still as it was when it had the value `expected`. */
interface Condition {
  readonly expected: string;
  readonly outcome: 'ok' | 'conflict' | 'absent' | 'unknown';
}

const IMPOSSIBLE = Symbol('impossible');

/** The state after `op`, if it can have happened as it was answered; of an unknown one, the state after it was carried out. */
export function step(op: Op, state: State): State | typeof IMPOSSIBLE {
  switch (op.type) {
    case 'read':
      return op.seen === state ? state : IMPOSSIBLE;
    case 'create':
      if (op.outcome === 'exists') return state !== undefined ? state : IMPOSSIBLE;
      return state === undefined ? op.next : IMPOSSIBLE;
    default: {
      const next = op.type === 'update' ? op.next : undefined;
      if (op.outcome === 'absent') return state === undefined ? state : IMPOSSIBLE;
      if (op.outcome === 'conflict') return state !== undefined && state !== op.expected ? state : IMPOSSIBLE;
      return state === op.expected ? next : IMPOSSIBLE;
    }
  }
}

export type Verdict =
  | { readonly linearizable: true }
  /** `stuck`: operations none of which can come next after the longest explained beginning. */
  | { readonly linearizable: false; readonly key: string; readonly explained: number; readonly stuck: readonly Op[] };

/** @throws Error when the search takes more than `limit` steps: the history proves nothing then */
export function checkHistory(history: readonly Op[], limit = 5_000_000): Verdict {
  for (const [key, ops] of Map.groupBy(history, (op) => op.key)) {
    const verdict = checkKey(key, ops, limit);
    if (!verdict.linearizable) return verdict;
  }
  return { linearizable: true };
}

interface Frame {
  readonly state: State;
  /** Candidates not yet tried from here. */
  readonly candidates: number[];
  /** The operation that led here; -1 at the root. */
  readonly by: number;
}

function checkKey(key: string, given: readonly Op[], limit: number): Verdict {
  const search = new Search([...given].sort((a, b) => a.invoked - b.invoked));
  const tried = new Set<string>();
  const stack: Frame[] = [{ state: undefined, candidates: search.candidates(), by: -1 }];
  let best: { explained: number; stuck: readonly Op[] } = { explained: -1, stuck: [] };
  for (let steps = 0; ; steps += 1) {
    if (steps > limit) throw new Error(`the history of ${key} takes more than ${String(limit)} steps to judge`);
    if (search.complete) return { linearizable: true };
    const frame = stack.at(-1);
    if (!frame) return { linearizable: false, key, ...best };
    const at = frame.candidates.shift();
    if (at === undefined) {
      stack.pop();
      if (frame.by >= 0) search.undo(frame.by);
      continue;
    }
    const state = step(search.op(at), frame.state);
    if (state === IMPOSSIBLE) continue;
    search.take(at);
    const memory = `${search.position()}|${String(state)}`;
    if (tried.has(memory)) {
      search.undo(at);
      continue;
    }
    tried.add(memory);
    const candidates = search.candidates();
    if (search.taken > best.explained) {
      best = { explained: search.taken, stuck: candidates.map((each) => search.op(each)) };
    }
    stack.push({ state, candidates, by: at });
  }
}

/** Which operations have been put in order so far. */
class Search {
  readonly #ops: readonly Op[];
  readonly #done: Uint8Array;
  /** Answered operations that have yet to be put in order. */
  #left: number;
  /** No answered operation before this one is left. */
  #low = 0;
  /** Unknown ones that were taken to have been carried out. */
  readonly #assumed = new Set<number>();
  /** All unknown ones, to be looked at however old they are. */
  readonly #unknown: readonly number[];

  constructor(ops: readonly Op[]) {
    this.#ops = ops;
    this.#done = new Uint8Array(ops.length);
    this.#unknown = ops.flatMap((op, at) => (isUnknown(op) ? [at] : []));
    this.#left = ops.length - this.#unknown.length;
    this.#settle();
  }

  get complete(): boolean {
    return this.#left === 0;
  }

  get taken(): number {
    return this.#ops.length - this.#unknown.length - this.#left;
  }

  op(at: number): Op {
    const op = this.#ops[at];
    if (!op) throw new RangeError(`no operation ${String(at)}`);
    return op;
  }

  /** What may come next: sent before any other that is left was answered. Answered ones first, as unknown ones may never have happened. */
  candidates(): number[] {
    let firstAnswer = Infinity;
    const answered: number[] = [];
    for (let at = this.#low; at < this.#ops.length; at += 1) {
      const op = this.op(at);
      if (op.invoked > firstAnswer) break;
      if (this.#done[at] === 1 || isUnknown(op)) continue;
      answered.push(at);
      firstAnswer = Math.min(firstAnswer, op.responded);
    }
    const before = (at: number) => this.op(at).invoked <= firstAnswer;
    return [...answered.filter(before), ...this.#unknown.filter((at) => this.#done[at] === 0 && before(at))];
  }

  take(at: number): void {
    this.#done[at] = 1;
    if (isUnknown(this.op(at))) this.#assumed.add(at);
    else this.#left -= 1;
    this.#settle();
  }

  undo(at: number): void {
    this.#done[at] = 0;
    if (isUnknown(this.op(at))) this.#assumed.delete(at);
    else this.#left += 1;
    this.#low = Math.min(this.#low, at);
  }

  /** The same for the same set of operations, in whatever order they were taken. */
  position(): string {
    const ahead: number[] = [];
    for (let at = this.#low; at < this.#ops.length; at += 1) {
      if (this.#done[at] === 1) {
        if (!isUnknown(this.op(at))) ahead.push(at);
      } else if (this.op(at).invoked > this.op(this.#low).responded) break;
    }
    return `${String(this.#low)}|${ahead.join()}|${[...this.#assumed].sort((a, b) => a - b).join()}`;
  }

  #settle(): void {
    while (this.#low < this.#ops.length && (this.#done[this.#low] === 1 || isUnknown(this.op(this.#low)))) {
      this.#low += 1;
    }
  }
}

const isUnknown = (op: Op): boolean => op.type !== 'read' && op.outcome === 'unknown';

/** A version some answer showed, with when that was asked and answered. */
export interface Stamp {
  readonly version: number;
  readonly invoked: number;
  readonly responded: number;
}

/** A pair that shows time going backwards: the later write has the lower version. Undefined: there is none. */
export function backwards(writes: readonly Stamp[]): readonly [Stamp, Stamp] | undefined {
  const byAnswer = [...writes].sort((a, b) => a.responded - b.responded);
  let newest: Stamp | undefined;
  let at = 0;
  for (const write of [...writes].sort((a, b) => a.invoked - b.invoked)) {
    for (let ended = byAnswer[at]; ended && ended.responded < write.invoked; ended = byAnswer[(at += 1)]) {
      if (!newest || ended.version > newest.version) newest = ended;
    }
    if (newest && newest.version >= write.version) return [newest, write];
  }
  return undefined;
}

/** For the message of a failed test. */
export function describe(op: Op): string {
  const { client, invoked, responded, type } = op;
  const asked =
    type === 'read' ? '' : type === 'create' ? op.next : `${op.expected} -> ${type === 'update' ? op.next : 'none'}`;
  const answer = type === 'read' ? String(op.seen) : op.outcome;
  return `${client} ${type} ${asked} = ${answer} [${invoked.toFixed(1)}, ${responded.toFixed(1)}]`;
}
