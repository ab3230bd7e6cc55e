/** iptables in memory: tables, chains and lines of rules, with the refusals of the real one that callers meet. */
import { HostError } from './exec.ts';
import type { Iptables, IptablesCheck } from './iptables.ts';
import { EMPTY_ENTRIES, type TableStamp, type TableStamps } from './xtables-info.ts';

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};
const TARGETS = ['ACCEPT', 'DROP', 'RETURN', 'REJECT', 'MARK', 'MASQUERADE', 'DNAT', 'REDIRECT'];

type Chains = Map<string, string[]>;

export class FakeIptables implements Iptables {
  readonly variant = 'legacy';
  /** Every input of `restore` that was accepted. */
  readonly restored: string[] = [];
  saves = 0;
  /** Lines for which `restore` fails, as where the kernel lacks a match. */
  refuse: ((line: string) => boolean) | undefined;
  /** The next call of `restore` fails with this. */
  failNext: HostError | undefined;
  #tables = new Map<string, Chains>();

  /** As iptables-save prints it. */
  dump(): string {
    return [...this.#tables]
      .map(([table, chains]) => {
        const heads = [...chains.keys()].map(
          (name) => `:${name} ${this.#isBuiltIn(table, name) ? 'ACCEPT' : '-'} [0:0]\n`,
        );
        const rules = [...chains].flatMap(([name, lines]) => lines.map((line) => `-A ${name} ${line}\n`));
        return `*${table}\n${heads.join('')}${rules.join('')}COMMIT\n`;
      })
      .join('');
  }

  save(): Promise<string> {
    this.saves++;
    return Promise.resolve(this.dump());
  }

  async saveTo(take: (lines: Buffer) => void): Promise<void> {
    // as it comes from a pipe: in pieces of some lines each
    for (const lines of (await this.save()).match(/(?:.*\n){1,3}/g) ?? []) take(Buffer.from(lines));
  }

  async restore(text: string): Promise<void> {
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure) throw failure;
    // the real one commits table by table
    for (const part of text.split(/^COMMIT\n/m)) if (part !== '') this.#restoreTable(part.trimEnd().split('\n'));
    this.restored.push(text);
  }

  test(text: string): Promise<void> {
    const scratch = new FakeIptables();
    scratch.refuse = this.refuse;
    return scratch.restore(text);
  }

  check(rules: readonly IptablesCheck[]): Promise<boolean> {
    const has = ({ table, rule: [chain = '', ...rest] }: IptablesCheck) =>
      (this.#tables.get(table)?.get(chain) ?? []).some((line) => line.replaceAll('"', '') === rest.join(' '));
    return Promise.resolve(rules.every(has));
  }

  /** As the kernel of the legacy tool counts. */
  stamps(): TableStamps {
    const count = (table: string) => {
      const chains = [...(this.#tables.get(table) ?? [])];
      const rules = chains.reduce((sum, [, lines]) => sum + lines.length, 0);
      const made = chains.filter(([name]) => !this.#isBuiltIn(table, name)).length;
      return (EMPTY_ENTRIES[table] ?? 0) + rules + 2 * made;
    };
    const read = (): TableStamp => {
      const entries = Object.fromEntries(Object.keys(EMPTY_ENTRIES).map((table) => [table, count(table)]));
      return { text: JSON.stringify([entries, this.dump().length]), entries };
    };
    return { read, close: () => undefined };
  }

  /** What `iptables -t TABLE -F` does, and with `delete` `-X` after it. */
  flush(table: string, options: { delete?: boolean } = {}): void {
    const chains = this.#tables.get(table) ?? new Map<string, string[]>();
    for (const name of [...chains.keys()]) {
      if (options.delete === true && !this.#isBuiltIn(table, name)) chains.delete(name);
      else chains.set(name, []);
    }
  }

  #isBuiltIn(table: string, chain: string): boolean {
    return BUILT_IN[table]?.includes(chain) ?? false;
  }

  #restoreTable([head = '', ...lines]: string[]): void {
    const table = head.slice(1);
    const builtIn = BUILT_IN[table];
    if (!head.startsWith('*') || !builtIn) throw this.#error(head);
    const before = this.#tables.get(table) ?? new Map(builtIn.map((name) => [name, [] as string[]]));
    const chains: Chains = new Map([...before].map(([name, rules]) => [name, [...rules]]));
    for (const line of lines) this.#line(chains, line);
    for (const line of [...chains.values()].flat()) {
      const target = /-j (\S+)/.exec(line)?.[1];
      if (target !== undefined && !TARGETS.includes(target) && !chains.has(target)) throw this.#error(line);
    }
    this.#tables.set(table, chains);
  }

  #line(chains: Chains, line: string): void {
    if (this.refuse?.(line) === true) throw this.#error(line);
    if (line.startsWith(':')) {
      chains.set(line.slice(1).split(' ')[0] ?? '', []);
      return;
    }
    const [, verb = '', name = '', rule = ''] = /^(-[AIDX]) (\S+) ?(.*)$/.exec(line) ?? [];
    const chain = chains.get(name);
    if (!chain) throw this.#error(line);
    if (verb === '-A') chain.push(rule);
    else if (verb === '-I') insert(chain, rule, () => this.#error(line));
    else if (verb === '-D' && chain.includes(rule)) chain.splice(chain.indexOf(rule), 1);
    else if (verb === '-X' && chain.length === 0) chains.delete(name);
    else throw this.#error(line);
  }

  #error(line: string): HostError {
    return new HostError(['iptables-restore'], 'exit code 1', 1, `line failed: ${line}`);
  }
}

/** `rule` may start with the number it is to have, from 1. */
function insert(chain: string[], rule: string, error: () => HostError): void {
  const [, number = '1', text = ''] = /^(?:(\d+) )?(.*)$/.exec(rule) ?? [];
  const at = Number(number) - 1;
  if (at < 0 || at > chain.length) throw error();
  chain.splice(at, 0, text);
}
