/** What the kernel has and what it should have -> the least text for iptables-restore that makes them the same. */
import { FIREWALL, isOurChain } from './names.ts';
import type { Tables } from './parse.ts';
import { renderTable, TABLES, type Edit } from './render.ts';
import type { Chain, Jump, RuleSet, TableName } from './rule-set.ts';
import { chainSignature, printOf, ruleSignature, type ChainPrint } from './signature.ts';

/** A chain the kernel holds: the very one that was written, so that most comparisons are of identity, or what was made of it when it was read. */
export type HeldChain = Chain | ChainPrint;

/** What of ours the kernel holds, as far as we know. */
export interface Shadow {
  /** By table and name. */
  readonly chains: Readonly<Record<TableName, ReadonlyMap<string, HeldChain>>>;
  /** `table chain rule` of the jumps present. */
  readonly jumps: ReadonlySet<string>;
}

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);
const byName = (chains: readonly Chain[]): ReadonlyMap<string, Chain> => new Map(chains.map((one) => [one.name, one]));

/** Our part of what iptables-save printed. */
export function shadowOfKernel(tables: Tables, isOurs = isOurChain): Shadow {
  const ours = (table: TableName) => byName((tables[table] ?? []).filter((chain) => isOurs(table, chain.name)));
  const jumps = new Set<string>();
  for (const table of TABLES) {
    for (const chain of tables[table] ?? []) {
      if (!BUILT_IN.has(chain.name)) continue;
      for (const rule of chain.rules) {
        const jump = { table, chain: chain.name, rule };
        if (isOurJump(jump, isOurs)) jumps.add(jumpKey(jump));
      }
    }
  }
  return { chains: { mangle: ours('mangle'), filter: ours('filter'), nat: ours('nat') }, jumps };
}

/** Rules of others may be anything; only a jump from a built-in chain into a chain of ours can be one of our jumps. */
export function isOurJump({ table, chain, rule: { target } }: Jump, isOurs = isOurChain): boolean {
  return target.kind === 'jump' && isOurs(table, target.chain) && BUILT_IN.has(chain);
}

/** What the kernel holds once `wanted` is written. */
export function shadowOfRules(wanted: RuleSet): Shadow {
  const { mangle, filter, nat } = wanted.tables;
  return {
    chains: { mangle: byName(mangle), filter: byName(filter), nat: byName(nat) },
    jumps: new Set(wanted.jumps.map(jumpKey)),
  };
}

export const jumpKey = ({ table, chain, rule }: Jump): string => `${table} ${chain}${ruleSignature(rule)}`;

export interface Delta {
  /** Input for `iptables-restore --noflush`; '' when nothing differs. */
  readonly text: string;
  readonly written: number;
  readonly removed: number;
  /** Jumps. */
  readonly inserted: number;
  /** Single rules put in or taken out where the chain stays. */
  readonly edited: number;
  readonly tables: Readonly<Record<TableName, TableDelta>>;
}

/** What the text does to one table. */
export interface TableDelta {
  /** Chains of ours, more or less than before. */
  readonly chains: number;
  /** Rules of ours, more or less than before. */
  readonly rules: number;
  /** Rules the text has lines for. */
  readonly lines: number;
}

export const NO_CHANGE: TableDelta = { chains: 0, rules: 0, lines: 0 };

/** Chains of one table that are to be others. */
export class ChainWork {
  /** Whole, in this order. */
  readonly write: Chain[];
  /** By name. */
  readonly remove: string[];
  /** Chains, and rules in them, that stand where others will, or nothing. */
  readonly gone = { chains: 0, rules: 0 };

  constructor(write: Chain[] = [], remove: string[] = []) {
    this.write = write;
    this.remove = remove;
  }

  /** Both, this first. */
  with(other: ChainWork): ChainWork {
    const both = new ChainWork([...this.write, ...other.write], [...this.remove, ...other.remove]);
    both.gone.chains = this.gone.chains + other.gone.chains;
    both.gone.rules = this.gone.rules + other.gone.rules;
    return both;
  }

  /** `held`: of the same name. `keep`: what is kept of a chain that is to be written. */
  compare(held: HeldChain | undefined, wanted: Chain, keep: (chain: Chain) => Chain = asItIs): void {
    if (isSame(held, wanted)) return;
    this.write.push(keep(wanted));
    if (held) this.#lose(held);
  }

  drop(name: string, held: HeldChain): void {
    this.remove.push(name);
    this.#lose(held);
  }

  #lose(held: HeldChain): void {
    this.gone.chains++;
    this.gone.rules += countRules([held]);
  }
}

const asItIs = (chain: Chain): Chain => chain;

/** What is to be done in all. */
export interface Work {
  readonly chains: Readonly<Record<TableName, ChainWork>>;
  readonly jumps: readonly Jump[];
  readonly edits: Readonly<Record<TableName, readonly Edit[]>>;
}

export const noChainWork = (): Record<TableName, ChainWork> => ({
  mangle: new ChainWork(),
  filter: new ChainWork(),
  nat: new ChainWork(),
});
export const noEdits = (): Record<TableName, Edit[]> => ({ mangle: [], filter: [], nat: [] });

/** Pure. */
export function deltaOf({ chains, jumps, edits }: Work): Delta {
  let [written, removed, inserted, edited] = [0, 0, 0, 0];
  const tables: Record<TableName, TableDelta> = { mangle: NO_CHANGE, filter: NO_CHANGE, nat: NO_CHANGE };
  const texts = TABLES.map((table) => {
    const { write, remove, gone } = chains[table];
    const edit = edits[table];
    const insert = jumps.filter((jump) => jump.table === table);
    written += write.length;
    removed += remove.length;
    inserted += insert.length;
    edited += edit.length;
    const putIn = edit.filter((one) => one.at !== 'gone').length;
    const lines = countRules(write) + insert.length + putIn;
    tables[table] = {
      chains: write.length - gone.chains,
      rules: lines - gone.rules - (edit.length - putIn),
      lines,
    };
    return renderTable(table, { write, remove, insert, edit });
  });
  return { text: texts.join(''), written, removed, inserted, edited, tables };
}

/**
 * Chains whose rules differ are rewritten whole, others are not touched: traffic and counters go on. Chains of ours that nothing
 * wants are deleted. Jumps missing at the top of a built-in chain are put there; those present stay where they are.
 */
export function diff(kernel: Shadow, wanted: RuleSet): Delta {
  return deltaOf(workOf(kernel, wanted));
}

/** As `diff`, before it is made text. */
export function workOf(kernel: Shadow, wanted: RuleSet): Work {
  const chains = noChainWork();
  for (const table of TABLES) {
    const work = chains[table];
    const names = new Set<string>();
    for (const chain of wanted.tables[table]) {
      names.add(chain.name);
      work.compare(kernel.chains[table].get(chain.name), chain);
    }
    for (const [name, held] of kernel.chains[table]) {
      // KUBE-FIREWALL is the kubelet's as well
      if (!names.has(name) && name !== FIREWALL) work.drop(name, held);
    }
  }
  return { chains, jumps: wanted.jumps.filter((jump) => !kernel.jumps.has(jumpKey(jump))), edits: noEdits() };
}

/** How much of ours is there. */
export function holdingsOf({ chains, jumps }: Shadow): Readonly<Record<TableName, Omit<TableDelta, 'lines'>>> {
  const of = (table: TableName) => {
    const inserted = [...jumps].filter((jump) => jump.startsWith(`${table} `)).length;
    return { chains: chains[table].size, rules: countRules(chains[table].values()) + inserted };
  };
  return { mangle: of('mangle'), filter: of('filter'), nat: of('nat') };
}

export const countRules = (chains: Iterable<HeldChain>): number => {
  let sum = 0;
  for (const chain of chains) sum += chain.count ?? ('rules' in chain ? chain.rules.length : 0);
  return sum;
};

function isSame(a: HeldChain | undefined, b: Chain): boolean {
  if (a === b) return true;
  if (a === undefined || countRules([a]) !== countRules([b])) return false;
  if ('print' in a) return a.print === printOf(b).print;
  return (a.text !== undefined && a.text === b.text) || chainSignature(a) === chainSignature(b);
}
