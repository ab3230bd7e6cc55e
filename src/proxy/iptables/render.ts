/** Rules as data -> the text iptables-restore reads, which is also what `--dry-run` prints. */
import type { Chain, Match, Rule, RuleSet, TableName, Target } from './rule-set.ts';

/** In the order of the text. */
export const TABLES: readonly TableName[] = ['mangle', 'filter', 'nat'];

/** The whole rule set as input for `iptables-restore --noflush`, for a kernel that has none of it. */
export function render(ruleSet: RuleSet): string {
  return TABLES.map((table) =>
    renderTable(table, {
      write: ruleSet.tables[table],
      remove: [],
      insert: ruleSet.jumps.filter((jump) => jump.table === table).map(({ chain, rule }) => ({ chain, rule })),
    }),
  ).join('');
}

/** What is to be done to one table. */
export interface TableChange {
  /** Made or emptied, then filled. */
  readonly write: readonly Chain[];
  /** Emptied, then deleted. */
  readonly remove: readonly string[];
  /** To stand at the top of these built-in chains, in this order. */
  readonly insert: readonly { readonly chain: string; readonly rule: Rule }[];
  /** Single rules of chains that otherwise stay, one after the other. */
  readonly edit?: readonly Edit[];
}

/** One rule less, or one more as number `at` of its chain, counted from 1. */
export interface Edit {
  readonly chain: string;
  /** As after `-A CHAIN`, with a space before it. */
  readonly rule: string;
  readonly at: number | 'gone';
}

/** '' when there is nothing to do. */
export function renderTable(table: TableName, change: TableChange): string {
  const { write, remove, insert, edit = [] } = change;
  if (write.length + remove.length + insert.length + edit.length === 0) return '';
  const lines = [`*${table}\n`];
  for (const chain of write) lines.push(`:${chain.name} - [0:0]\n`);
  for (const name of remove) lines.push(`:${name} - [0:0]\n`);
  for (const chain of write) lines.push(chainText(chain));
  // each is put on top of those before it, so the last goes in first
  for (const { chain, rule } of insert.toReversed()) lines.push(`-I ${chain}${ruleText(rule)}\n`);
  for (const { chain, rule, at } of edit) {
    lines.push(`${at === 'gone' ? `-D ${chain}` : `-I ${chain} ${String(at)}`}${rule}\n`);
  }
  for (const name of remove) lines.push(`-X ${name}\n`);
  lines.push('COMMIT\n');
  return lines.join('');
}

function chainText(chain: Chain): string {
  if (chain.text !== undefined) return chain.text;
  let text = '';
  for (const one of chain.rules) text += `-A ${chain.name}${ruleText(one)}\n`;
  return text;
}

/** Matches and target, each with a space before it. */
export function ruleText(rule: Rule): string {
  // joined, not added up: the result may be kept, and then without the pieces it came from
  return [...rule.matches.map(matchText), targetText(rule.target)].join('');
}

const not = (match: { readonly not?: boolean }): string => (match.not === true ? ' !' : '');
const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

export function matchText(match: Match): string {
  switch (match.kind) {
    case 'comment':
      return ` -m comment --comment ${quote(match.text)}`;
    case 'protocol':
      return ` -m ${match.protocol} -p ${match.protocol}`;
    case 'dport':
      return ` --dport ${String(match.port)}`;
    case 'source':
      return `${not(match)} -s ${match.cidr}`;
    case 'destination':
      return `${not(match)} -d ${match.cidr}`;
    case 'interface':
      return `${not(match)} -i ${match.name}`;
    case 'address-type':
      return ` -m addrtype${not(match)} --${match.of}-type ${match.type}`;
    case 'state':
      return ` -m conntrack${not(match)} --ctstate ${match.states.join(',')}`;
    case 'mark':
      return ` -m mark${not(match)} --mark ${hex(match.value)}/${hex(match.mask)}`;
    case 'set':
      return ` -m set${not(match)} --match-set ${match.name} ${match.directions}`;
    case 'random':
      return ` -m statistic --mode random --probability ${match.probability.toFixed(10)}`;
    case 'recent-check':
      return ` -m recent --name ${match.name} --rcheck --seconds ${String(match.seconds)} --reap`;
    case 'recent-set':
      return ` -m recent --name ${match.name} --set`;
    case 'unknown':
      return ` ${match.text}`;
  }
}

function targetText(target: Target): string {
  switch (target.kind) {
    case 'jump':
      return ` -j ${target.chain}`;
    case 'MASQUERADE':
      return ` -j MASQUERADE${target.randomFully ? ' --random-fully' : ''}`;
    case 'DNAT':
      return ` -j DNAT --to-destination ${target.to}`;
    case 'REDIRECT':
      return ` -j REDIRECT --to-ports ${String(target.port)}`;
    case 'MARK':
      return ` -j MARK --${target.op}-mark ${hex(target.bits)}`;
    case 'none':
      return '';
    case 'unknown':
      return ` ${target.text}`;
    default:
      return ` -j ${target.kind}`;
  }
}
