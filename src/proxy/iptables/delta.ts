/** What the kernel has and what it should have -> the least text for iptables-restore that makes them the same. */
import { isOurChain } from './names.ts';
import type { Tables } from './parse.ts';
import { renderTable, TABLES } from './render.ts';
import type { RuleSet, TableName } from './rule-set.ts';
import { chainSignature, ruleSignature } from './signature.ts';

/** What of ours the kernel holds, as far as we know. */
export interface Shadow {
  /** `table chain` -> signature of its rules. */
  readonly chains: ReadonlyMap<string, string>;
  /** `table chain rule` of the jumps present. */
  readonly jumps: ReadonlySet<string>;
}

export const emptyShadow: Shadow = { chains: new Map(), jumps: new Set() };

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

/** Our part of what iptables-save printed. */
export function shadowOfKernel(tables: Tables): Shadow {
  const chains = new Map<string, string>();
  const jumps = new Set<string>();
  for (const [table, list] of Object.entries(tables)) {
    for (const chain of list) {
      if (isOurChain(table, chain.name)) chains.set(`${table} ${chain.name}`, chainSignature(chain));
      else if (BUILT_IN.has(chain.name)) {
        for (const rule of chain.rules) {
          // rules of others may be anything; only a jump into a chain of ours can be one of our jumps
          if (rule.target.kind === 'jump' && isOurChain(table, rule.target.chain)) {
            jumps.add(`${table} ${chain.name}${ruleSignature(rule)}`);
          }
        }
      }
    }
  }
  return { chains, jumps };
}

/** What the kernel holds once `wanted` is written. */
export function shadowOfRules(wanted: RuleSet): Shadow {
  const chains = new Map<string, string>();
  for (const table of TABLES) {
    for (const chain of wanted.tables[table]) chains.set(`${table} ${chain.name}`, chainSignature(chain));
  }
  return { chains, jumps: new Set(wanted.jumps.map((one) => `${one.table} ${one.chain}${ruleSignature(one.rule)}`)) };
}

export interface Delta {
  /** Input for `iptables-restore --noflush`; '' when nothing differs. */
  readonly text: string;
  readonly written: number;
  readonly removed: number;
  readonly inserted: number;
}

/**
 * Chains whose rules differ are rewritten whole, others are not touched: traffic and counters go on. Chains of ours that nothing
 * wants are deleted. Jumps missing at the top of a built-in chain are put there; those present stay where they are.
 */
export function diff(kernel: Shadow, wanted: RuleSet): Delta {
  let [written, removed, inserted] = [0, 0, 0];
  const gone = new Map<TableName, string[]>(TABLES.map((table) => [table, []]));
  const wantedNames = new Set(TABLES.flatMap((table) => wanted.tables[table].map((chain) => `${table} ${chain.name}`)));
  for (const key of kernel.chains.keys()) {
    const [table = '', name = ''] = key.split(' ');
    // KUBE-FIREWALL is the kubelet's as well
    if (!wantedNames.has(key) && name !== 'KUBE-FIREWALL') gone.get(table as TableName)?.push(name);
  }
  const texts = TABLES.map((table) => {
    const write = wanted.tables[table].filter(
      (chain) => kernel.chains.get(`${table} ${chain.name}`) !== chainSignature(chain),
    );
    const remove = gone.get(table) ?? [];
    const insert = wanted.jumps.filter(
      (jump) => jump.table === table && !kernel.jumps.has(`${table} ${jump.chain}${ruleSignature(jump.rule)}`),
    );
    written += write.length;
    removed += remove.length;
    inserted += insert.length;
    return renderTable(table, { write, remove, insert });
  });
  return { text: texts.join(''), written, removed, inserted };
}

/** Rules that jump to a chain that neither exists nor is built in: the restore would fail as a whole (trap T6). */
export function danglingJumps(wanted: RuleSet): readonly string[] {
  return TABLES.flatMap((table) => {
    const names = new Set(wanted.tables[table].map((chain) => chain.name));
    return wanted.tables[table].flatMap((chain) =>
      chain.rules.flatMap(({ target }) =>
        target.kind === 'jump' && !names.has(target.chain) ? [`${table} ${chain.name} -> ${target.chain}`] : [],
      ),
    );
  });
}
