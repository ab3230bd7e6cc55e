import type { NfChange, NfFamily, NfTables, RulesetChange, SetChange, SetElement } from './nf-types.ts';
import { NetlinkError } from './netlink-error.ts';

type Elements = ReadonlyMap<string, SetElement>;

interface FakeTable {
  readonly sets: Map<string, Elements>;
  readonly chains: Set<string>;
}

const hex = (bytes: Uint8Array | undefined) => (bytes ? Buffer.from(bytes).toString('hex') : '');
const keyOf = (element: SetElement) => `${hex(element.key)}-${hex(element.keyEnd)}${element.intervalEnd ? '$' : ''}`;
const valueOf = ({ data, verdict }: SetElement) =>
  `${hex(data)} ${verdict ? `${verdict.code} ${verdict.chain ?? ''}` : ''}`;

/** nf_tables in memory, with the kernel's errors. Timeouts do not run. */
export class FakeNfTables implements NfTables {
  /** Every commit that was taken, in order. */
  readonly commits: { family: NfFamily; table: string; changes: readonly SetChange[]; ruleset: RulesetChange }[] = [];
  /** Whoever keeps the rules, which are not kept here. */
  onRuleset: ((family: NfFamily, table: string, ruleset: RulesetChange) => void) | undefined;
  /** Set to have the next commit fail with this errno's name, once. */
  failNext: string | undefined;
  readonly #tables = new Map<string, FakeTable>();
  readonly #listeners = new Set<(change: NfChange) => void>();
  #closed = false;

  /** As `nft add table`, `add set`, `add chain` would. */
  addTable(family: NfFamily, table: string, sets: readonly string[] = [], chains: readonly string[] = []): void {
    const at = this.#tables.get(`${family} ${table}`) ?? {
      sets: new Map<string, Elements>(),
      chains: new Set<string>(),
    };
    for (const set of sets) if (!at.sets.has(set)) at.sets.set(set, new Map());
    for (const chain of chains) at.chains.add(chain);
    this.#tables.set(`${family} ${table}`, at);
  }

  /** As `nft delete chain` would. */
  removeChain(family: NfFamily, table: string, chain: string): void {
    this.#unmake(family, table, { unmade: [chain] });
  }

  /** As a `nft flush ruleset` of somebody else. */
  flushRuleset(): void {
    const gone = [...this.#tables.keys()];
    this.#tables.clear();
    for (const name of gone) {
      const [family = '', table = ''] = name.split(' ');
      this.#tell({ kind: 'table-deleted', family, table });
    }
  }

  /** A commit of somebody else: told to monitors, not kept in `commits`. */
  commitAsAnother(family: NfFamily, table: string, changes: readonly SetChange[]): void {
    this.#apply(family, table, changes);
    for (const { op, set } of changes)
      this.#tell({ kind: op === 'add' ? 'set-element-added' : 'set-element-deleted', family, table, set });
  }

  async commit(
    family: NfFamily,
    table: string,
    changes: readonly SetChange[],
    ruleset: RulesetChange = {},
  ): Promise<void> {
    const tried = ['nf_tables', 'commit', family, table];
    this.#open(tried);
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw new NetlinkError(tried, failure);
    const name = `${family} ${table}`;
    const before = this.#tables.get(name);
    try {
      this.#make(family, table, ruleset);
      this.#apply(family, table, changes);
      this.#unmake(family, table, ruleset);
    } catch (error) {
      if (before) this.#tables.set(name, before);
      else this.#tables.delete(name);
      throw error;
    }
    this.commits.push({ family, table, changes, ruleset });
    this.onRuleset?.(family, table, ruleset);
  }

  async dump(family: NfFamily, table: string, set: string): Promise<readonly SetElement[]> {
    const tried = ['nf_tables', 'dump', family, table, set];
    this.#open(tried);
    const elements = this.#tables.get(`${family} ${table}`)?.sets.get(set);
    if (!elements) throw new NetlinkError(tried, 'ENOENT');
    return [...elements.values()];
  }

  sets(family: NfFamily, table: string): Promise<readonly string[]> {
    return Promise.resolve([...(this.#tables.get(`${family} ${table}`)?.sets.keys() ?? [])]);
  }

  chains(family: NfFamily, table: string): Promise<readonly string[]> {
    return Promise.resolve([...(this.#tables.get(`${family} ${table}`)?.chains ?? [])]);
  }

  hasTable(family: NfFamily, table: string): Promise<boolean> {
    return Promise.resolve(this.#tables.has(`${family} ${table}`));
  }

  monitor(onChange: (change: NfChange) => void): () => void {
    this.#listeners.add(onChange);
    return () => void this.#listeners.delete(onChange);
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
  }

  #open(tried: readonly string[]): void {
    if (this.#closed) throw new NetlinkError(tried, 'EBADF');
  }

  #tell(change: NfChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #make(family: NfFamily, table: string, { made = [] }: RulesetChange): void {
    const name = `${family} ${table}`;
    for (const { kind, name: own } of made) {
      const tried = ['nf_tables', 'commit', family, table, 'make', `${kind} ${own}`];
      const at = this.#tables.get(name);
      if (kind === 'table') {
        if (at) throw new NetlinkError(tried, 'EEXIST');
        this.#tables.set(name, { sets: new Map(), chains: new Set() });
        continue;
      }
      if (!at) throw new NetlinkError(tried, 'ENOENT');
      if (kind === 'rule' && !at.chains.has(own)) throw new NetlinkError(tried, 'ENOENT');
      if (kind !== 'chain' && kind !== 'set') continue;
      if (kind === 'chain' ? at.chains.has(own) : at.sets.has(own)) throw new NetlinkError(tried, 'EEXIST');
      // an anonymous set belongs to its rule
      const sets = new Map(at.sets);
      if (kind === 'set' && !own.startsWith('__set')) sets.set(own, new Map());
      this.#tables.set(name, { sets, chains: kind === 'chain' ? new Set([...at.chains, own]) : at.chains });
    }
  }

  #unmake(family: NfFamily, table: string, { unmade = [] }: RulesetChange): void {
    const at = this.#tables.get(`${family} ${table}`);
    if (!at || unmade.length === 0) return;
    const chains = new Set(at.chains);
    for (const chain of unmade) {
      const tried = ['nf_tables', 'commit', family, table, 'unmake', `chain ${chain}`];
      if (!chains.delete(chain)) throw new NetlinkError(tried, 'ENOENT');
      const leads = (element: SetElement) => element.verdict?.chain === chain;
      for (const set of at.sets.values()) if ([...set.values()].some(leads)) throw new NetlinkError(tried, 'EBUSY');
    }
    this.#tables.set(`${family} ${table}`, { sets: at.sets, chains });
  }

  #apply(family: NfFamily, table: string, changes: readonly SetChange[]): void {
    const at = this.#tables.get(`${family} ${table}`);
    const next = new Map<string, Map<string, SetElement>>();
    for (const { op, set, elements } of changes) {
      const tried = ['nf_tables', 'commit', family, table, op, set];
      const before = at?.sets.get(set);
      if (!at || !before) throw new NetlinkError(tried, 'ENOENT');
      const now = next.get(set) ?? new Map(before);
      next.set(set, now);
      for (const element of elements) {
        const key = keyOf(element);
        const there = now.get(key);
        if (op === 'delete') {
          if (!now.delete(key)) throw new NetlinkError(tried, 'ENOENT');
        } else if (there) {
          if (valueOf(there) !== valueOf(element)) throw new NetlinkError(tried, 'EEXIST');
        } else {
          const { chain } = element.verdict ?? {};
          if (chain !== undefined && !at.chains.has(chain)) throw new NetlinkError(tried, 'ENOENT');
          now.set(key, element);
        }
      }
    }
    if (at) this.#tables.set(`${family} ${table}`, { sets: new Map([...at.sets, ...next]), chains: at.chains });
  }
}
