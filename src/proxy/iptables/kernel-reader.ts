/** What iptables-save prints, taken in as it comes: all that is kept of it is what a comparison with our own rules takes. */
import { createHash, type Hash } from 'node:crypto';
import { isOurJump, jumpKey, type Shadow } from './delta.ts';
import { isOurChain } from './names.ts';
import { parseRule, tokenize } from './parse.ts';
import { TABLES } from './render.ts';
import type { TableName } from './rule-set.ts';
import { PrintMaker } from './signature.ts';

const [NEWLINE, HASH, COLON, BRACKET] = [10, 35, 58, 91];

/**
 * Two texts have the same for the same rules: times and the counters of built-in chains, which always move, are left out. Works on bytes: of
 * 60 MB every few seconds nothing should be left to collect.
 */
export class Fingerprint {
  readonly #hash: Hash = createHash('sha1');

  /** Whole lines. */
  add(lines: Buffer): void {
    let kept = 0;
    for (let at = 0; at < lines.length;) {
      const first = lines[at];
      // all rules at once: what else there is stands before them
      if (first !== HASH && first !== COLON) {
        at = nextOddLine(lines, at);
        continue;
      }
      const newline = lines.indexOf(NEWLINE, at);
      const end = newline < 0 ? lines.length : newline + 1;
      const bracket = first === COLON ? lines.indexOf(BRACKET, at) : at;
      this.#hash.update(lines.subarray(kept, bracket < 0 ? end : Math.min(bracket, end)));
      kept = end;
      at = end;
    }
    this.#hash.update(lines.subarray(kept));
  }

  /** Ends it. */
  toString(): string {
    return this.#hash.digest('hex');
  }
}

/** Where the next comment or chain begins, at or after the line that begins at `from`. */
function nextOddLine(lines: Buffer, from: number): number {
  const found = ['\n#', '\n:'].map((start) => lines.indexOf(start, from)).filter((at) => at >= 0);
  return found.length === 0 ? lines.length : Math.min(...found) + 1;
}

/** Our part, as a Shadow of prints. */
export class ShadowReader {
  readonly #chains: Record<TableName, Map<string, PrintMaker>> = {
    mangle: new Map(),
    filter: new Map(),
    nat: new Map(),
  };
  readonly #jumps = new Set<string>();
  readonly #isOurs: (table: string, chain: string) => boolean;
  #table: TableName | undefined;

  constructor(isOurs = isOurChain) {
    this.#isOurs = isOurs;
  }

  /** Whole lines. */
  add(lines: Buffer): void {
    for (const line of lines.toString().split('\n')) this.#addLine(line);
  }

  shadow(): Shadow {
    return { chains: this.#chains, jumps: this.#jumps };
  }

  #addLine(line: string): void {
    if (line.startsWith('*')) this.#table = TABLES.find((table) => line === `*${table}`);
    const table = this.#table;
    if (table === undefined) return;
    const [, name = ''] = /^(?::|-A )(\S+)/.exec(line) ?? [];
    const chains = this.#chains[table];
    const isOurs = chains.has(name) || this.#isOurs(table, name);
    if (line.startsWith(':')) {
      if (isOurs) chains.set(name, new PrintMaker());
      return;
    }
    if (!line.startsWith('-A')) return;
    // what leads to no chain of ours is nobody's business here, and may be much
    if (!isOurs && !line.includes(' -j KUBE-')) return;
    const rule = parseRule(tokenize(line.slice('-A '.length + name.length)));
    const jump = { table, chain: name, rule };
    if (isOurs) chains.get(name)?.add(rule);
    else if (isOurJump(jump, this.#isOurs)) this.#jumps.add(jumpKey(jump));
  }
}
