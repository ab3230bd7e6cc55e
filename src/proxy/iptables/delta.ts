/** What the kernel has and what it should have -> the least text for iptables-restore that makes them the same. */
import { FIREWALL, isOurChain } from './names.ts';
import type { Tables } from './parse.ts';
import { renderTable, TABLES } from './render.ts';
import type { Chain, Jump, RuleSet, TableName } from './rule-set.ts';
import { chainSignature, ruleSignature } from './signature.ts';

/** What of ours the kernel holds, as far as we know. */
export interface Shadow {
  /** By table and name. The very chains that were written, so that most comparisons are of identity. */
  readonly chains: Readonly<Record<TableName, ReadonlyMap<string, Chain>>>;
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
        // rules of others may be anything; only a jump into a chain of ours can be one of our jumps
        if (rule.target.kind !== 'jump' || !isOurs(table, rule.target.chain)) continue;
        jumps.add(jumpKey({ table, chain: chain.name, rule }));
      }
    }
  }
  return { chains: { mangle: ours('mangle'), filter: ours('filter'), nat: ours('nat') }, jumps };
}

/** What the kernel holds once `wanted` is written. */
export function shadowOfRules(wanted: RuleSet): Shadow {
  const { mangle, filter, nat } = wanted.tables;
  return {
    chains: { mangle: byName(mangle), filter: byName(filter), nat: byName(nat) },
    jumps: new Set(wanted.jumps.map(jumpKey)),
  };
}

const jumpKey = ({ table, chain, rule }: Jump): string => `${table} ${chain}${ruleSignature(rule)}`;

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

/**
 * Chains whose rules differ are rewritten whole, others are not touched: traffic and counters go on. Chains of ours that nothing
 * wants are deleted. Jumps missing at the top of a built-in chain are put there; those present stay where they are.
 */
export function diff(kernel: Shadow, wanted: RuleSet): Delta {
  let [written, removed, inserted] = [0, 0, 0];
  const tables: Record<TableName, TableDelta> = { mangle: NO_CHANGE, filter: NO_CHANGE, nat: NO_CHANGE };
  const texts = TABLES.map((table) => {
    const present = kernel.chains[table];
    const write = wanted.tables[table].filter((chain) => !isSame(present.get(chain.name), chain));
    const names = new Set(wanted.tables[table].map((chain) => chain.name));
    // KUBE-FIREWALL is the kubelet's as well
    const remove = [...present.keys()].filter((name) => !names.has(name) && name !== FIREWALL);
    const insert = wanted.jumps.filter((jump) => jump.table === table && !kernel.jumps.has(jumpKey(jump)));
    written += write.length;
    removed += remove.length;
    inserted += insert.length;
    const lines = countRules(write) + insert.length;
    const gone = [...write.map((one) => one.name), ...remove].flatMap((name) => present.get(name) ?? []);
    tables[table] = {
      chains: write.length - gone.length,
      rules: lines - countRules(gone),
      lines,
    };
    return renderTable(table, { write, remove, insert });
  });
  return { text: texts.join(''), written, removed, inserted, edited: 0, tables };
}

/** How much of ours is there. */
export function holdingsOf({ chains, jumps }: Shadow): Readonly<Record<TableName, Omit<TableDelta, 'lines'>>> {
  const of = (table: TableName) => {
    const inserted = [...jumps].filter((jump) => jump.startsWith(`${table} `)).length;
    return { chains: chains[table].size, rules: countRules(chains[table].values()) + inserted };
  };
  return { mangle: of('mangle'), filter: of('filter'), nat: of('nat') };
}

export const countRules = (chains: Iterable<Chain>): number => {
  let sum = 0;
  for (const chain of chains) sum += chain.count ?? chain.rules.length;
  return sum;
};

function isSame(a: Chain | undefined, b: Chain): boolean {
  if (a === b) return true;
  if (a === undefined || countRules([a]) !== countRules([b])) return false;
  return (a.text !== undefined && a.text === b.text) || chainSignature(a) === chainSignature(b);
}
