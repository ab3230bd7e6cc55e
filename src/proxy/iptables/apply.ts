/** The one effect: makes the kernel hold what the Plan says, writing only what differs from what it is known to hold. */
import { isLockFailure, type Iptables, type IptablesCheck } from '../../host/iptables.ts';
import type { TableStamp, TableStamps } from '../../host/xtables-info.ts';
import { inTurns } from '../../lib/in-turns.ts';
import type { SyncResult } from '../backend.ts';
import type { Plan, PlanProblem, PlanUpdate, ServiceChange, ServicePort } from '../plan/types.ts';
import { assemble, compilePort, frameOf, type Frame } from './compile.ts';
import { holdingsOf, type Delta, type Shadow } from './delta.ts';
import { ALL_FEATURES, missingFor, type Features } from './features.ts';
import { Guard, NO_HOLDINGS, type Holdings } from './guard.ts';
import { Fingerprint, ShadowReader } from './kernel-reader.ts';
import { render, TABLES } from './render.ts';
import { RuleBook } from './rule-book.ts';
import type { RuleSet } from './rule-set.ts';
import { sentinelsOf } from './sentinels.ts';

/** What a sync did, in the terms of iptables-restore. */
export interface IptablesSyncResult extends SyncResult {
  readonly bytes: number;
  /** Chains. */
  readonly written: number;
  readonly removed: number;
  /** Jumps. */
  readonly inserted: number;
  /** Single rules of chains that stayed. */
  readonly edited: number;
}

export interface ApplierOptions {
  readonly features?: Features;
  /** Tells of other programs' writes. */
  readonly stamps?: TableStamps | undefined;
}

/** A write under way. */
interface Attempt {
  /** When it began. */
  readonly doubts: number;
  readonly before: TableStamp | undefined;
}

/** What iptables-save printed. */
interface Saved {
  readonly shadow: Shadow;
  readonly fingerprint: string;
}

export class IptablesApplier {
  readonly guard: Guard;
  readonly #iptables: Iptables;
  readonly #features: Features;
  /** undefined: what the kernel holds is not known, so it is read before the next write. */
  #book: RuleBook | undefined;
  /** What was believed before somebody doubted: true if the kernel says the very words it said when it was last compared. */
  #doubted: RuleBook | undefined;
  /** Of what the kernel said when all was as it should be, and since then nothing was written. */
  #fingerprint: string | undefined;
  /** Rules that tell whether nobody flushed. */
  #sentinels: readonly IptablesCheck[] = [];
  #holdings: Holdings = NO_HOLDINGS;
  /** Grows with every `distrust`. */
  #doubts = 0;
  /** Ports the kernel refused -> why. */
  #refused = new Map<ServicePort, string>();
  #partialFailures = 0;

  constructor(iptables: Iptables, { features = ALL_FEATURES, stamps }: ApplierOptions = {}) {
    this.#iptables = iptables;
    this.#features = features;
    this.guard = new Guard({ stamps, lookForRules: () => iptables.check(this.#sentinels) });
  }

  /** The next sync reads the kernel first and mends whatever differs, also when one is under way now. */
  distrust(): void {
    this.#doubts++;
    this.#doubted ??= this.#book;
    this.#book = undefined;
  }

  /** As `apply`, when all that is known is the whole Plan. */
  sync(plan: Plan): Promise<IptablesSyncResult> {
    return this.apply({ plan, changed: undefined, problems: [] });
  }

  /**
   * Throws HostError when nothing could be written; the next call then starts from what the kernel holds. A failure that comes from
   * single Services (a match the kernel lacks) does not throw: they are found, left out and reported.
   */
  async apply(update: PlanUpdate): Promise<IptablesSyncResult> {
    try {
      return await this.#apply(update);
    } catch (error) {
      this.guard.fail();
      throw error;
    }
  }

  async #apply(update: PlanUpdate): Promise<IptablesSyncResult> {
    const isFull = this.#book === undefined;
    this.#partialFailures = 0;
    let result: IptablesSyncResult;
    try {
      result = isFull ? await this.#readAndWrite(update) : await this.#writeUpdate(update);
    } catch (error) {
      if (!isFull) this.#partialFailures++;
      if (isLockFailure(error)) throw error;
      result = isFull ? await this.#writeWhatGoes(update.plan, error) : await this.#writeFull(update.plan);
    }
    const refused = [...this.#refused].map(([service, message]) => problemOf(service, message));
    const figures = { ...result.figures, partialFailures: this.#partialFailures };
    return { ...result, kind: isFull ? 'full' : result.kind, refused, figures };
  }

  /** False when somebody flushed a table. Cheap: for asking every second. */
  isIntact(): Promise<boolean> {
    return this.guard.isIntact();
  }

  /** The kernel holds what is in the book. */
  async #writeUpdate(update: PlanUpdate, attempt = this.#begin()): Promise<IptablesSyncResult> {
    return (await this.#writeChanged(update, attempt)) ?? (await this.#write(update.plan, attempt));
  }

  /** What the kernel holds is not known. */
  async #readAndWrite(update: PlanUpdate): Promise<IptablesSyncResult> {
    const [doubted, fingerprint, hadRefused] = [this.#doubted, this.#fingerprint, this.#refused.size > 0];
    this.#doubted = undefined;
    // they are tried again
    this.#refused = new Map();
    const attempt = this.#begin();
    // most doubts are about nothing, and to see that is much cheaper than to take everything in
    const isTrue =
      doubted && !hadRefused && fingerprint !== undefined && (await this.#readFingerprint()) === fingerprint;
    if (!isTrue) return this.#write(update.plan, attempt);
    this.#book = doubted;
    return this.#writeUpdate(update, attempt);
  }

  /** undefined: there is more to do than can be told Service by Service. */
  async #writeChanged({ changed }: PlanUpdate, attempt: Attempt): Promise<IptablesSyncResult | undefined> {
    const book = this.#book;
    if (!book || !changed) return undefined;
    const accepted = new Map<string, ServiceChange>();
    for (const [key, { before, after }] of changed) {
      for (const one of before) this.#refused.delete(one);
      accepted.set(key, { before, after: this.#acceptedOf(after) });
    }
    const delta = book.change(accepted);
    return delta && this.#commit(delta, book, 'partial', attempt);
  }

  /** Compares all. */
  async #write(plan: Plan, attempt = this.#begin()): Promise<IptablesSyncResult> {
    const there = new Set(plan.servicePorts);
    for (const one of this.#refused.keys()) if (!there.has(one)) this.#refused.delete(one);
    const ports = this.#acceptedOf(plan.servicePorts);
    const frame = frameOf({ ...plan, servicePorts: ports }, this.#features);
    this.#sentinels = sentinelsOf(frame);
    if (this.#book) {
      const { book, delta } = await inTurns(this.#book.changedTo(frame, ports));
      return this.#commit(delta, book, 'partial', attempt);
    }
    const read = await this.#read();
    this.#holdings = holdingsOf(read.shadow);
    const { book, delta } = await inTurns(RuleBook.ofKernel(frame, ports, read.shadow));
    const result = await this.#commit(delta, book, 'full', attempt);
    if (result.bytes === 0) this.#fingerprint = read.fingerprint;
    return result;
  }

  #begin(): Attempt {
    return { doubts: this.#doubts, before: this.guard.begin() };
  }

  async #read(): Promise<Saved> {
    this.guard.forget();
    const reader = new ShadowReader();
    const fingerprint = new Fingerprint();
    await this.#iptables.saveTo((lines) => {
      reader.add(lines);
      fingerprint.add(lines);
    });
    return { shadow: reader.shadow(), fingerprint: fingerprint.toString() };
  }

  async #readFingerprint(): Promise<string> {
    this.guard.forget();
    const fingerprint = new Fingerprint();
    await this.#iptables.saveTo((lines) => {
      fingerprint.add(lines);
    });
    return fingerprint.toString();
  }

  /** Writes, and believes in `book` from then on. */
  async #commit(delta: Delta, book: RuleBook, kind: SyncResult['kind'], attempt: Attempt): Promise<IptablesSyncResult> {
    // the book is ahead of the kernel until this is written
    this.#book = undefined;
    if (delta.text !== '') {
      this.#fingerprint = undefined;
      await this.#iptables.restore(delta.text);
    }
    this.#holdings = sum(this.#holdings, delta.tables);
    this.guard.end(attempt.before, delta.tables, this.#holdings);
    // what went wrong meanwhile may have gone wrong after our write
    if (attempt.doubts === this.#doubts) this.#book = book;
    return this.#resultOf(delta, kind);
  }

  #resultOf(delta: Delta, kind: SyncResult['kind']): IptablesSyncResult {
    const { written, removed, inserted, edited } = delta;
    const tables = Object.fromEntries(
      TABLES.map((table) => [table, { total: this.#holdings[table].rules, last: delta.tables[table].lines }]),
    );
    const changes = written + removed + inserted + edited;
    return {
      kind,
      changes,
      bytes: delta.text.length,
      written,
      removed,
      inserted,
      edited,
      refused: [],
      figures: { tables },
    };
  }

  /** After a partial write failed: most often the kernel was changed behind our back, and no Service is at fault. */
  async #writeFull(plan: Plan): Promise<IptablesSyncResult> {
    try {
      return await this.#write(plan);
    } catch (error) {
      if (isLockFailure(error)) throw error;
      return this.#writeWhatGoes(plan, error);
    }
  }

  async #writeWhatGoes(plan: Plan, error: unknown): Promise<IptablesSyncResult> {
    const bad = await this.#findRefused(plan, this.#acceptedOf(plan.servicePorts));
    if (bad.length === 0) throw error;
    for (const one of bad) {
      this.#refused.set(one, `the kernel refuses the rules of port ${one.name} (${one.protocol})`);
    }
    return this.#write(plan);
  }

  /** Halves the Services until those the kernel refuses are alone, in a scratch namespace: live rules are not touched. */
  async #findRefused(plan: Plan, some: readonly ServicePort[]): Promise<readonly ServicePort[]> {
    try {
      await this.#iptables.test(render(rulesOf(frameOf(plan, this.#features), some)));
      return [];
    } catch (error) {
      // what fails without any Service is not theirs
      if (isLockFailure(error) || some.length === 0) throw error;
      if (some.length === 1) return some;
      const half = Math.ceil(some.length / 2);
      const first = await this.#findRefused(plan, some.slice(0, half));
      return [...first, ...(await this.#findRefused(plan, some.slice(half)))];
    }
  }

  /** Those that are not known to be refused. */
  #acceptedOf(ports: readonly ServicePort[]): readonly ServicePort[] {
    const { recent, sctp } = this.#features;
    if (recent && sctp && this.#refused.size === 0) return ports;
    return ports.filter((port) => {
      const missing = missingFor(port, this.#features);
      if (missing !== undefined) this.#refused.set(port, missing);
      return !this.#refused.has(port);
    });
  }
}

const rulesOf = (frame: Frame, ports: readonly ServicePort[]): RuleSet =>
  assemble(
    frame,
    ports.map((port) => compilePort(port, frame)),
  );

const sum = (holdings: Holdings, change: Holdings): Holdings => {
  const of = (table: keyof Holdings) => ({
    chains: holdings[table].chains + change[table].chains,
    rules: holdings[table].rules + change[table].rules,
  });
  return { mangle: of('mangle'), filter: of('filter'), nat: of('nat') };
};

function problemOf({ namespace, service }: ServicePort, message: string): PlanProblem {
  return { namespace, service, message };
}
