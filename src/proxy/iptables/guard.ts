/**
 * Notices within a moment that another program took our rules away (3-045, trap T11). The kernel is asked twenty times a second, which costs
 * microseconds, whether anybody wrote to the tables; only when somebody did, and it was not us, the rules themselves are looked for.
 */
import { EMPTY_ENTRIES, type TableStamp, type TableStamps } from '../../host/xtables-info.ts';
import { realClock, type Clock } from '../../lib/clock.ts';
import { NO_CHANGE, type TableDelta } from './delta.ts';
import { TABLES } from './render.ts';
import type { TableName } from './rule-set.ts';

/** ms. A flush is mended this much later at worst, plus the time a write takes. */
const PERIOD = 50;
/** Looking for rules may take one part in this many of the time, however often others write. */
const PATIENCE = 10;

/** Chains and rules of ours in each table. */
export type Holdings = Readonly<Record<TableName, Pick<TableDelta, 'chains' | 'rules'>>>;

export const NO_HOLDINGS: Holdings = { mangle: NO_CHANGE, filter: NO_CHANGE, nat: NO_CHANGE };

export interface GuardParts {
  /** undefined where the kernel cannot be asked: then only `isIntact` sees, and looks every time. */
  readonly stamps: TableStamps | undefined;
  /** Whether a few rules of ours are still there, by the tool: some 10 ms, more where tables are large. */
  readonly lookForRules: () => Promise<boolean>;
  readonly clock?: Clock;
}

export class Guard {
  readonly #stamps: TableStamps | undefined;
  readonly #lookForRules: () => Promise<boolean>;
  readonly #clock: Clock;
  /** As of when all was well. */
  #calm: TableStamp | undefined;
  #holdings: Holdings = NO_HOLDINGS;
  #isWriting = false;
  #looking: Promise<boolean> | undefined;
  /** Told that rules are gone; there is nothing more to say until they are written again. */
  #hasTold = false;
  #restUntil = 0;

  constructor({ stamps, lookForRules, clock = realClock }: GuardParts) {
    this.#stamps = stamps;
    this.#lookForRules = lookForRules;
    this.#clock = clock;
  }

  /** Before the kernel is read or written: what moves from now on may be us, what moved before was somebody else. */
  begin(): TableStamp | undefined {
    this.#isWriting = true;
    return this.#read();
  }

  /** Between `begin` and `end`, when everything was read from the kernel: what happened before is accounted for. */
  forget(): void {
    this.#calm = undefined;
  }

  /** After a write that failed: what the tables hold is not known, and a sync follows anyhow. */
  fail(): void {
    this.#isWriting = false;
    this.#calm = undefined;
  }

  /** After a write: `before` is what `begin` gave, `change` what was written, `holdings` what is ours now. */
  end(before: TableStamp | undefined, change: Holdings, holdings: Holdings): void {
    this.#isWriting = false;
    this.#hasTold = false;
    this.#holdings = holdings;
    const calm = this.#calm;
    const now = this.#read();
    // somebody else wrote, before we did or at the same time, and what it did to our rules is to be looked for
    const isAlone = (!calm || calm.text === before?.text) && isExplained(before, now, change);
    this.#calm = isAlone ? now : UNKNOWN;
  }

  /** False when rules of ours are gone. */
  async isIntact(): Promise<boolean> {
    // what is there half-way through a write says nothing
    if (this.#isWriting) return true;
    if (!this.#hasMoved()) return true;
    const intact = !this.#isShort() && (await this.#look());
    if (!intact) this.#hasTold = true;
    return intact;
  }

  /** Calls back when rules of ours may be gone; `isIntact` then tells. Returns the stop. */
  watch(onTampered: () => void): () => void {
    if (!this.#stamps) return () => undefined;
    let cancel: () => void = () => undefined;
    const again = () => {
      cancel = this.#clock.after(
        PERIOD,
        () => {
          if (this.#isWorthLooking()) onTampered();
          again();
        },
        true,
      );
    };
    again();
    return () => {
      cancel();
    };
  }

  close(): void {
    this.#stamps?.close();
  }

  #isWorthLooking(): boolean {
    if (this.#isWriting || this.#hasTold || this.#looking || !this.#calm || !this.#hasMoved()) return false;
    return this.#isShort() || this.#clock.now() >= this.#restUntil;
  }

  /** True also where it cannot be known. */
  #hasMoved(): boolean {
    return !this.#calm || this.#read()?.text !== this.#calm.text;
  }

  /** Fewer entries than we alone put there: no need to look for rules. */
  #isShort(): boolean {
    const entries = this.#read()?.entries;
    if (!entries || !this.#calm) return false;
    return TABLES.some(
      (table) => (entries[table] ?? 0) < (EMPTY_ENTRIES[table] ?? 0) + entriesOf(this.#holdings[table]),
    );
  }

  #look(): Promise<boolean> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<boolean> {
    const [stamp, calm, start] = [this.#read(), this.#calm, this.#clock.now()];
    const there = await this.#lookForRules();
    // somebody else's rules came or went: all is as well as before, unless we wrote meanwhile and know better
    if (there && calm === this.#calm) this.#calm = stamp ?? calm;
    this.#restUntil = this.#clock.now() + PATIENCE * (this.#clock.now() - start);
    return there;
  }

  #read(): TableStamp | undefined {
    try {
      return this.#stamps?.read();
    } catch {
      // a kernel that does not answer now may answer later; looking for the rules themselves remains
      return undefined;
    }
  }
}

/** Equal to no stamp of a kernel. */
const UNKNOWN: TableStamp = { text: '' };

/** Whether our change is all that happened in between, as far as the kernel counts. */
function isExplained(before: TableStamp | undefined, now: TableStamp | undefined, change: Holdings): boolean {
  const [then, there] = [before?.entries, now?.entries];
  if (!then || !there) return true;
  return TABLES.every((table) => (there[table] ?? 0) - (then[table] ?? 0) === entriesOf(change[table]));
}

const entriesOf = ({ chains, rules }: Holdings[TableName]): number => rules + 2 * chains;
