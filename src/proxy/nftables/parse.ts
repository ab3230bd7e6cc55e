/** What `render` wrote, or `nft list table` printed, back into data: chains as rules in nft's words, elements by key. */
import type { Family } from '../../lib/ip.ts';

export interface ParsedElement {
  readonly key: string;
  /** '' in a set. */
  readonly value: string;
  readonly comment: string;
  /** Milliseconds; 0 where it does not expire. */
  readonly timeout: number;
  /** Milliseconds left. */
  readonly expires: number;
}

export interface ParsedSet {
  readonly name: string;
  readonly kind: 'set' | 'map';
  readonly elements: ReadonlyMap<string, ParsedElement>;
  /** Declared with `flags interval`: keys may be ranges. */
  readonly interval: boolean;
}

export interface ParsedChain {
  readonly name: string;
  /** `type nat hook prerouting priority dstnat; policy accept;`, of a base chain. */
  readonly base: string | undefined;
  readonly rules: readonly string[];
}

export interface ParsedTable {
  readonly family: Family;
  readonly name: string;
  readonly sets: ReadonlyMap<string, ParsedSet>;
  readonly chains: ReadonlyMap<string, ParsedChain>;
}

/** All tables of the text. Throws SyntaxError with the line. */
export function parse(text: string): readonly ParsedTable[] {
  const reader = new Reader(text.split('\n'));
  const tables: ParsedTable[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const [, family = '', name = ''] = /^table (ip6?) (\S+) \{$/.exec(line) ?? [];
    if (family !== '') tables.push(readTable(reader, family === 'ip6' ? 'IPv6' : 'IPv4', name));
    else if (!/^(?:add|delete) table /.test(line)) throw reader.error('no table');
  }
  return tables;
}

/** Lines without indentation; empty ones are passed over. */
class Reader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  next(): string | undefined {
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at++]?.trim() ?? '';
      if (line !== '') return line;
    }
    return undefined;
  }

  /** The next line of a block; undefined at its end. */
  inBlock(): string | undefined {
    const line = this.next();
    if (line === undefined) throw this.error('the text ends within a block');
    return line === '}' ? undefined : line;
  }

  error(why: string): SyntaxError {
    return new SyntaxError(`line ${String(this.#at)}: ${why}: ${this.#lines[this.#at - 1]?.trim() ?? ''}`);
  }
}

function readTable(reader: Reader, family: Family, name: string): ParsedTable {
  const sets = new Map<string, ParsedSet>();
  const chains = new Map<string, ParsedChain>();
  for (let line = reader.inBlock(); line !== undefined; line = reader.inBlock()) {
    const [, kind, own = ''] = /^(set|map|chain) (\S+) \{$/.exec(line) ?? [];
    if (kind === 'chain') chains.set(own, readChain(reader, own));
    else if (kind === 'set' || kind === 'map') sets.set(own, readSet(reader, own, kind));
    else if (!line.startsWith('comment ')) throw reader.error('neither set, map nor chain');
  }
  return { family, name, sets, chains };
}

function readChain(reader: Reader, name: string): ParsedChain {
  let base: string | undefined;
  const rules: string[] = [];
  for (let line = reader.inBlock(); line !== undefined; line = reader.inBlock()) {
    if (/^type \w+ hook /.test(line)) base = line;
    else if (!line.startsWith('comment ')) rules.push(line);
  }
  return { name, base, rules };
}

function readSet(reader: Reader, name: string, kind: 'set' | 'map'): ParsedSet {
  const elements = new Map<string, ParsedElement>();
  let interval = false;
  for (let line = reader.inBlock(); line !== undefined; line = reader.inBlock()) {
    if (/^flags .*\binterval\b/.test(line)) interval = true;
    if (!line.startsWith('elements = {')) continue;
    let body = line.slice('elements = {'.length);
    while (!body.endsWith('}')) {
      const more = reader.next();
      if (more === undefined) throw reader.error('elements without an end');
      for (const element of readElements(body, reader)) elements.set(element.key, element);
      body = more;
    }
    for (const element of readElements(body.slice(0, -1), reader)) elements.set(element.key, element);
  }
  return { name, kind, elements, interval };
}

const ELEMENT =
  /^(?<key>\S+(?: \. \S+)*)(?: timeout (?<timeout>\S+))?(?: expires (?<expires>\S+))?(?: comment "(?<comment>[^"]*)")?(?: : (?<value>.+))?$/;

/** One line of elements, each behind a comma or alone. */
function* readElements(text: string, reader: Reader): IterableIterator<ParsedElement> {
  for (const part of text.match(/(?:[^,"]|"[^"]*")+/g) ?? []) {
    const word = part.trim();
    if (word === '') continue;
    const { key, comment = '', value = '', timeout = '', expires = timeout } = ELEMENT.exec(word)?.groups ?? {};
    if (key === undefined) throw reader.error('no element');
    yield { key, comment, value, timeout: milliseconds(timeout), expires: milliseconds(expires) };
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Of nft's `1h2m3s4ms`. */
function milliseconds(text: string): number {
  let sum = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)(ms|[smhd])/g)) sum += Number(count) * (UNITS[unit] ?? 0);
  return sum;
}
