/** Our table as text for `nft -f`: the whole of it, as a dry run prints it, and single changes. */
import type { Family } from '../../lib/ip.ts';
import type { AffinityEntry } from './affinity.ts';
import { fieldText, fieldsText, addressText, addressWidth, numberOf } from './bytes.ts';
import type { Table } from './compile.ts';
import { declarations } from './declarations.ts';
import { splitVerdict, type Elements, type Transaction } from './elements.ts';
import { nftFamily, schemaOf, setNames, TABLE, type Field, type SetName } from './schema.ts';
import type { Chain } from './skeleton.ts';

/** Takes the place of whatever table of ours is there, at one moment. `more`: elements ready-made, of maps that packets fill. */
export function render(
  { family, chains, elements }: Table,
  more: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const name = `${nftFamily(family)} ${TABLE}`;
  const sets = declarations(family).map(({ name: set, kind, lines }) => {
    const contents = elementsText([...elementTexts(set, elements, family), ...(more.get(set) ?? [])]);
    return block(`${kind} ${set}`, contents === '' ? lines : [...lines, contents]);
  });
  const body = [...sets, ...chains.map(chainText)].join('\n');
  // without the first line the second would fail where nothing is there
  return `add table ${name}\ndelete table ${name}\ntable ${name} {\n\tcomment "rules for kube-proxy"\n\n${body}}\n`;
}

const block = (head: string, lines: readonly string[]): string =>
  `\t${head} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;

const chainText = ({ name, base, rules }: Chain): string =>
  block(`chain ${name}`, base === undefined ? rules : [base, ...rules]);

const elementsText = (texts: readonly string[]): string =>
  texts.length === 0 ? '' : `elements = { ${texts.join(',\n\t\t\t     ')} }`;

function elementTexts(set: SetName, elements: Elements, family: Family): readonly string[] {
  const texts: string[] = [];
  for (const [key, value] of elements.get(set) ?? []) texts.push(elementText(set, key, value, family));
  return texts;
}

/** Entries of a table before, by map. */
export function affinityTexts(
  entries: readonly AffinityEntry[],
  family: Family,
): ReadonlyMap<string, readonly string[]> {
  const line = (map: SetName, { key, timeout, expires }: AffinityEntry, value: string, fields: readonly Field[]) =>
    `${keyText(map, key, family)} timeout ${String(timeout)}ms expires ${String(Math.max(1, expires))}ms : ${fieldsText(value, fields, family)}`;
  if (family === 'IPv4')
    return new Map([['affinity', entries.map((one) => line('affinity', one, one.endpoint, ['address', 'port']))]]);
  return new Map([
    ['affinity', entries.map((one) => line('affinity', one, one.endpoint.slice(0, 16), ['address']))],
    ['affinity-ports', entries.map((one) => line('affinity-ports', one, one.endpoint.slice(16), ['port']))],
  ]);
}

/** `10.96.0.20 . tcp . 80 comment "default/web:" : goto cluster-ip-3`. */
export function elementText(set: SetName, key: string, value: string, family: Family): string {
  const { value: kind } = schemaOf(set, family);
  const left = keyText(set, key, family);
  if (kind === 'none') return left;
  if (kind !== 'verdict') return `${left} : ${fieldsText(value, kind, family)}`;
  const { verdict, comment } = splitVerdict(value);
  return `${left}${comment === '' ? '' : ` comment "${comment}"`} : ${verdict}`;
}

export function keyText(set: SetName, key: string, family: Family): string {
  const schema = schemaOf(set, family);
  if (!schema.interval) return fieldsText(key, schema.key, family);
  const half = key.length / 2;
  const width = addressWidth(family);
  const range = rangeText(key.slice(0, width), key.slice(half, half + width));
  return `${range} . ${fieldsText(key.slice(width, half), schema.key.slice(1), family)}`;
}

function rangeText(from: string, to: string): string {
  if (from === to) return fieldText(from, 'address');
  const [first, last] = [numberOf(from), numberOf(to)];
  const size = last - first + 1n;
  const bits = size.toString(2).length - 1;
  if (size === 1n << BigInt(bits) && first % size === 0n)
    return `${addressText(from)}/${String(from.length * 8 - bits)}`;
  return `${addressText(from)}-${addressText(to)}`;
}

/** Chains for a table that is there. */
export function renderChains(chains: readonly Chain[], family: Family): string {
  const name = `${nftFamily(family)} ${TABLE}`;
  const heads = chains.map(
    ({ name: chain, base }) => `add chain ${name} ${chain}${base === undefined ? '' : ` { ${base} }`}\n`,
  );
  const rules = chains.flatMap(({ name: chain, rules: own }) =>
    own.map((rule) => `add rule ${name} ${chain} ${rule}\n`),
  );
  return [...heads, ...rules].join('');
}

/** What goes first, then what comes: a key may do both. `chains` are new, those in `unused` go. */
export function renderTransaction(
  transaction: Transaction,
  chains: readonly Chain[],
  family: Family,
  unused: readonly string[] = [],
): string {
  const name = `${nftFamily(family)} ${TABLE}`;
  const lines: string[] = [renderChains(chains, family)];
  const each = (verb: string, set: SetName, texts: readonly string[]) => {
    if (texts.length > 0) lines.push(`${verb} element ${name} ${set} { ${texts.join(', ')} }\n`);
  };
  for (const set of setNames(family)) {
    each(
      'delete',
      set,
      [...(transaction.get(set)?.remove ?? [])].map((key) => keyText(set, key, family)),
    );
  }
  for (const set of setNames(family)) {
    each(
      'add',
      set,
      [...(transaction.get(set)?.add ?? [])].map(([key, value]) => elementText(set, key, value, family)),
    );
  }
  for (const chain of unused) lines.push(`delete chain ${name} ${chain}\n`);
  return lines.join('');
}
