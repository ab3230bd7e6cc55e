/** The one effect: makes the kernel hold what the Plan says, at a cost that follows what changed. */
import type { SyncResult } from '../backend.ts';
import type { Plan, PlanProblem, PlanUpdate, ServiceChange, ServicePort } from '../plan/types.ts';
import { AffinityJudge, hasAffinity } from './affinity.ts';
import { addCounted, countedNames, sortCounted } from './compile.ts';
import { chainOf, sizeOf, type Elements, type SetTransaction, type Transaction } from './elements.ts';
import { frontendsOf } from './frontends.ts';
import type { KernelTable, Tampering } from './kernel-table.ts';
import { setNames, schemaOf, type SetName } from './schema.ts';
import { countedChain, countOf, fixedChains, shapeOf, type Chain } from './skeleton.ts';
import { isTemplate, withTemplates } from './templates.ts';
import { difference } from './difference.ts';
import { Wanted } from './wanted.ts';

/** Whether the kernel would take a table. Rejects with HostError where not. */
export type Check = (chains: readonly Chain[], elements: Elements) => Promise<void>;

/** What is known to be in the kernel. */
interface Known {
  readonly wanted: Wanted;
  readonly chains: Set<string>;
  readonly plan: Context;
}

interface Part {
  readonly sets: readonly SetName[];
  readonly written: Transaction;
}

/** What of a Plan the chains depend on, and whom affinity is for. */
type Context = Pick<Plan, 'options' | 'node' | 'nodePortIPs'>;

/** Even a kernel that tells of every change is read this often (3-025). */
const READ_EVERY_MS = 3_600_000;

export class NftablesApplier {
  readonly #table: KernelTable;
  readonly #check: Check;
  readonly #now: () => number;
  /** undefined: not known, so the kernel is read before the next write. */
  #known: Known | undefined;
  #refused = new Set<ServicePort>();
  /** Grows with every reason to doubt what is known. */
  #doubts = 0;
  #seenDoubts = 0;
  /** What somebody else did since the kernel was read. */
  #tampering = new Set<Tampering>();
  /** Since when the kernel tells of what others do; undefined: it does not. */
  #watchedSince: number | undefined;
  #readAt = -Infinity;

  constructor(table: KernelTable, check: Check, now: () => number = () => performance.now()) {
    this.#table = table;
    this.#check = check;
    this.#now = now;
  }

  /** The next sync reads the kernel first, unless the kernel tells of every change and told of none. */
  distrust(): void {
    this.#doubts++;
  }

  /** Throws HostError when nothing, or an unknown part, could be written; the next call then starts from what the kernel holds. */
  async sync(update: PlanUpdate): Promise<SyncResult> {
    const { changed } = update;
    const known = this.#known;
    if (!known || changed === undefined) return this.#full(update.plan);
    if (await this.#mustRead()) return this.#verify(known, changed, update);
    const doubts = this.#doubts;
    // if anything below throws, what the kernel holds is not known
    this.#known = undefined;
    try {
      const changes = await this.#partial(known, this.#accepted(changed));
      if (changes === undefined) return await this.#full(update.plan);
      this.#known = known;
      this.#seenDoubts = doubts;
      return { kind: 'partial', changes, refused: this.#problems() };
    } catch {
      // most often the kernel was changed behind our back, and no Service is at fault
      return this.#full(update.plan);
    }
  }

  /** False when somebody took our rules away, or changed them. Cheap: asked every second. */
  async isIntact(): Promise<boolean> {
    for (const what of this.#tampering) if (what !== 'lost') return false;
    return this.#known === undefined || this.#table.isThere();
  }

  watch(onTampered: () => void): (() => void) | undefined {
    const stop = this.#table.watch?.((what) => {
      this.#tampering.add(what);
      this.#doubts++;
      // also what the kernel could not tell: a flush of everything may be too much for it to tell
      onTampered();
    });
    if (stop === undefined) return undefined;
    this.#watchedSince = this.#now();
    return () => {
      this.#watchedSince = undefined;
      stop();
    };
  }

  /** A kernel that tells of every change, and told of none, holds what was written. */
  async #mustRead(): Promise<boolean> {
    if (this.#doubts === this.#seenDoubts) return false;
    return !this.#isVouchedFor() || this.#tampering.size > 0 || !(await this.#table.isThere());
  }

  /** Since the kernel was read it has told of every change, and that is not long ago. */
  #isVouchedFor(): boolean {
    const isWatched = this.#watchedSince !== undefined && this.#watchedSince <= this.#readAt;
    return isWatched && this.#now() - this.#readAt < READ_EVERY_MS;
  }

  /** The sets somebody changed elements of, where that is all he did. */
  #tamperedSets(): readonly SetName[] | undefined {
    const sets: SetName[] = [];
    for (const what of this.#tampering) {
      if (what === 'rules' || what === 'lost') return undefined;
      sets.push(what);
    }
    return this.#isVouchedFor() && sets.length > 0 ? sets : undefined;
  }

  #accepted(changed: ReadonlyMap<string, ServiceChange>): readonly ServiceChange[] {
    if (this.#refused.size === 0) return [...changed.values()];
    const accepted = (services: readonly ServicePort[]) => services.filter((one) => !this.#refused.has(one));
    const changes = [...changed.values()].map(({ before, after }) => ({
      before: accepted(before),
      after: accepted(after),
    }));
    for (const { before } of changed.values()) for (const service of before) this.#refused.delete(service);
    return changes;
  }

  /** Returns how many elements changed; undefined where only a whole table will do. */
  async #partial({ wanted, chains, plan }: Known, changes: readonly ServiceChange[]): Promise<number | undefined> {
    const transaction = wanted.change(changes);
    const missing = await this.#missingChains(transaction, chains, plan);
    if (!missing) return undefined;
    await this.#table.commit(transaction, missing);
    for (const { name } of missing) chains.add(name);
    const judge = new AffinityJudge(plan, false);
    for (const { before } of changes) {
      for (const service of before.filter(hasAffinity)) {
        for (const frontend of frontendsOf(service)) judge.add(frontend, wanted.ownerOf(frontend.key));
      }
    }
    await this.#forget(judge);
    return sizeOf(transaction);
  }

  /** As full, but what is wanted is known already. */
  async #verify(
    { wanted, plan }: Known,
    changed: ReadonlyMap<string, ServiceChange>,
    update: PlanUpdate,
  ): Promise<SyncResult> {
    this.#known = undefined;
    // what was refused is to be tried again
    if (this.#refused.size > 0) return this.#full(update.plan);
    try {
      const written = wanted.change(changed.values());
      const sets = this.#tamperedSets();
      const changes = await this.#write(wanted, plan, sets && { sets, written });
      return { kind: 'full', changes, refused: [] };
    } catch {
      return this.#full(update.plan);
    }
  }

  async #full(plan: Plan): Promise<SyncResult> {
    this.#known = undefined;
    this.#refused = new Set();
    let changes: number;
    try {
      changes = await this.#write(new Wanted(plan), plan);
    } catch (error) {
      const bad = await this.#findRefused(plan, plan.servicePorts, error);
      if (bad.length === 0) throw error;
      const refused = new Set(bad);
      this.#refused = refused;
      changes = await this.#write(new Wanted(plan, (service) => refused.has(service)), plan);
    }
    return { kind: 'full', changes, refused: this.#problems() };
  }

  /** `part`: all but some sets holds what it did before `written`. */
  async #write(wanted: Wanted, plan: Context, part?: Part): Promise<number> {
    const doubts = this.#doubts;
    const tampering = this.#tampering;
    this.#tampering = new Set();
    try {
      const fixed = fixedChains(shapeOf(plan));
      const holds = part !== undefined || (await this.#holds(fixed, plan));
      const mended = holds ? await this.#mend(wanted, plan, part) : undefined;
      const { chains, changes } = mended ?? (await this.#replace(wanted, plan, fixed, holds));
      const judge = new AffinityJudge(plan, true);
      for (const owner of wanted.owners()) if (hasAffinity(owner.service)) judge.add(owner, owner);
      await this.#forget(judge);
      const { options, node, nodePortIPs } = plan;
      this.#known = { wanted, chains, plan: { options, node, nodePortIPs } };
      this.#seenDoubts = doubts;
      if (!part) this.#readAt = this.#now();
      return changes;
    } catch (error) {
      for (const what of tampering) this.#tampering.add(what);
      throw error;
    }
  }

  /** Whether the kernel's chains are those we would write: by the name of one, which says what all hold, and by how many rules each has. */
  async #holds(fixed: readonly Chain[], { options }: Context): Promise<boolean> {
    const signature = fixed.at(-1)?.name ?? '';
    if (!(await this.#table.chains()).has(signature)) return false;
    const rules = await this.#table.rules();
    const counted = [...rules.keys()].flatMap((name) => countedChain(name, options) ?? []);
    return [...fixed, ...counted].every(({ name, rules: own }) => rules.get(name) === own.length);
  }

  /** Writes only what differs from what is there; undefined where only a whole table will do. */
  async #mend(
    wanted: Wanted,
    plan: Context,
    part?: Part,
  ): Promise<{ chains: Set<string>; changes: number } | undefined> {
    const { family } = plan.options;
    const chains = new Set(await this.#table.chains());
    const transaction = new Map<SetName, SetTransaction>(part?.written);
    const sets = part?.sets ?? setNames(family).filter((set) => !schemaOf(set, family).dynamic);
    for (const set of sets) transaction.delete(set);
    const used = new Set<string>();
    for (const some of inGroups(sets)) {
      const elements = wanted.elements(some);
      for (const set of some) {
        if (!part) for (const value of elements.get(set)?.values() ?? []) addCounted(used, value);
        const change = difference(await this.#table.elements(set), elements.get(set) ?? new Map<string, string>());
        if (change.add.size + change.remove.size > 0) transaction.set(set, change);
      }
    }
    const missing = await this.#missingChains(transaction, chains, plan);
    if (!missing) return undefined;
    const isUnused = (name: string) => countOf(name) !== undefined && !isTemplate(name) && !used.has(name);
    const unused = part ? [] : [...chains].filter(isUnused);
    await this.#table.commit(transaction, missing, unused);
    for (const { name } of missing) chains.add(name);
    for (const name of unused) chains.delete(name);
    return { chains, changes: sizeOf(transaction) };
  }

  /** `keepCounted`: those that are there are right, and a count comes back more often than not. */
  async #replace(
    wanted: Wanted,
    plan: Context,
    fixed: readonly Chain[],
    keepCounted: boolean,
  ): Promise<{ chains: Set<string>; changes: number }> {
    const names = new Set(keepCounted ? [...(await this.#table.chains())].filter(countOf) : []);
    let size = 0;
    wanted.emit((_set, _key, value) => {
      size++;
      if (value !== '') addCounted(names, value);
    });
    const counted = sortCounted(withTemplates(names));
    const all = [...fixed, ...counted.flatMap((name) => countedChain(name, plan.options) ?? [])];
    const isThere = await this.#table.isThere();
    await this.#table.replace(all, wanted, isThere ? await this.#remembered() : []);
    const changes = all.length + size;
    return { chains: new Set(all.map((one) => one.name)), changes };
  }

  /** Counted chains that new elements lead to and nobody made yet; undefined where the whole table must be written for them. */
  async #missingChains(
    transaction: Transaction,
    chains: ReadonlySet<string>,
    { options }: Context,
  ): Promise<readonly Chain[] | undefined> {
    const names = new Set<string>();
    for (const { add } of transaction.values()) {
      for (const value of add.values()) {
        const chain = chainOf(value);
        if (chain !== undefined && !chains.has(chain)) names.add(chain);
      }
    }
    for (const name of names) if (!(await this.#table.canMake(name))) return undefined;
    return [...names].flatMap((name) => countedChain(name, options) ?? []);
  }

  /** Those of the table before. One that is not as we would have made it holds none. */
  async #remembered() {
    try {
      return await this.#table.affinity();
    } catch {
      return [];
    }
  }

  async #forget(judge: AffinityJudge): Promise<void> {
    if (judge.isEmpty) return;
    const entries = await this.#table.affinity();
    const gone = entries.filter((entry) => !judge.holds(entry));
    if (gone.length > 0) await this.#table.forget(gone);
  }

  /** Halves the Services until those the kernel refuses are alone; live rules are not touched. */
  async #findRefused(plan: Plan, some: readonly ServicePort[], cause: unknown): Promise<readonly ServicePort[]> {
    const elements = new Wanted({ ...plan, servicePorts: some }).elements();
    const chains = [
      ...fixedChains(shapeOf(plan)),
      ...countedNames(elements).flatMap((name) => countedChain(name, plan.options) ?? []),
    ];
    try {
      await this.#check(chains, elements);
      return [];
    } catch {
      // what fails without any Service is not theirs
      if (some.length === 0) throw cause;
      if (some.length === 1) return some;
      const half = Math.ceil(some.length / 2);
      const first = await this.#findRefused(plan, some.slice(0, half), cause);
      return [...first, ...(await this.#findRefused(plan, some.slice(half), cause))];
    }
  }

  #problems(): readonly PlanProblem[] {
    return [...this.#refused].map(({ namespace, service, name, protocol }) => ({
      namespace,
      service,
      message: `the kernel refuses the elements of port ${name} (${protocol})`,
    }));
  }
}

/** Sets whose elements are made and compared together: the biggest by themselves, so that not all of a table is in memory at once. */
function inGroups(sets: readonly SetName[]): readonly (readonly SetName[])[] {
  const isBig = (set: SetName) => set === 'service-endpoints' || set === 'hairpin-connections';
  const others = sets.filter((set) => !isBig(set));
  return [...sets.filter(isBig).map((set) => [set]), ...(others.length > 0 ? [others] : [])];
}
