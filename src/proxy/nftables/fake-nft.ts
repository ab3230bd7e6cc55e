/**
 * The nft command in memory, on the same tables as a FakeNfTables: whole tables, chains and rules, and what netlink tells of them. Lives here
 * and not in `host` because it reads what this folder writes.
 */
import { HostError } from '../../host/exec.ts';
import type { NfImage, NfObject } from '../../host/netlink/nf-image.ts';
import type { NfRules } from '../../host/netlink/nf-rules.ts';
import type { FakeNfTables, NfFamily, RulesetChange, SetElement } from '../../host/netlink/nf-tables.ts';
import type { Nft } from '../../host/nft.ts';
import { elementOf } from './netlink-elements.ts';
import { fieldsBytes } from './bytes.ts';
import { ruleBytes, ruleText } from './fake-rules.ts';
import { verdictValue } from './elements.ts';
import { parse, type ParsedElement, type ParsedTable } from './parse.ts';
import { schemaOf, type SetName } from './schema.ts';
import { elementKey } from './text-elements.ts';

export class FakeNft implements Nft, NfRules {
  /** Every text that was loaded, in order. */
  readonly loaded: string[] = [];
  /** Text the kernel refuses, wherever it stands. */
  refuse: ((text: string) => boolean) | undefined;
  readonly #tables: FakeNfTables;
  /** `family table` -> chain -> rules. */
  readonly #rules = new Map<string, Map<string, string[]>>();

  /** Base chains, by table. */
  readonly #bases = new Map<string, Set<string>>();
  /** Tables somebody changed since they were loaded. */
  readonly #touched = new Set<string>();

  constructor(tables: FakeNfTables) {
    this.#tables = tables;
    tables.onRuleset = (family, table, ruleset) => {
      this.#changed(family, table, ruleset);
    };
  }

  async count(family: NfFamily, table: string): Promise<ReadonlyMap<string, number>> {
    if (!(await this.#tables.hasTable(family, table))) return new Map();
    const chains = [...(this.#rules.get(`${family} ${table}`) ?? [])];
    return new Map(chains.map(([chain, rules]) => [chain, rules.length] as const).filter(([, count]) => count > 0));
  }

  async read(family: NfFamily, table: string): Promise<NfImage | undefined> {
    const name = `${family} ${table}`;
    const rules = this.#rules.get(name);
    if (!rules || !(await this.#tables.hasTable(family, table))) return undefined;
    const object = (kind: NfObject['kind'], own: string, text = ''): NfObject => ({
      kind,
      name: own,
      bytes: ruleBytes(text),
    });
    const chains = [...rules].map(([chain, own]) => {
      const isBase = this.#bases.get(name)?.has(chain) === true;
      return [
        chain,
        { chain: object('chain', chain), isBase, rules: own.map((rule) => object('rule', chain, rule)) },
      ] as const;
    });
    return {
      table: object('table', table),
      sets: (await this.#tables.sets(family, table)).map((set) => object('set', set)),
      chains: new Map(chains),
      isUntouched: !this.#touched.has(name),
    };
  }

  close(): void {
    // nothing is held
  }

  async load(text: string): Promise<void> {
    await this.check(text);
    this.loaded.push(text);
    for (const line of text.split('\n')) this.#statement(line);
    if (/^table /m.test(text)) for (const table of parse(text)) this.#create(table);
  }

  async check(text: string): Promise<void> {
    if (this.refuse?.(text) === true) throw new HostError(['nft'], 'exit code 1', 1, 'refused');
  }

  /** Chains alone. */
  async list(family: NfFamily, table: string): Promise<string> {
    const chains = this.#rules.get(`${family} ${table}`);
    if (!chains || !(await this.#tables.hasTable(family, table))) return '';
    const blocks = [...chains].map(
      ([name, rules]) => `\tchain ${name} {\n${rules.map((rule) => `\t\t${rule}\n`).join('')}\t}\n`,
    );
    return `table ${family} ${table} {\n${blocks.join('')}}\n`;
  }

  listSet(): Promise<string> {
    return Promise.reject(new HostError(['nft', 'list'], 'the fake has no elements', 1, ''));
  }

  version(): Promise<readonly number[]> {
    return Promise.resolve([1, 0, 6]);
  }

  /** As `nft flush chain` of somebody else. */
  flushChain(family: NfFamily, table: string, chain: string): void {
    this.#rules.get(`${family} ${table}`)?.set(chain, []);
    this.#touched.add(`${family} ${table}`);
  }

  /** As `nft add rule` of somebody else. */
  addRule(family: NfFamily, table: string, chain: string, rule: string): void {
    this.#rules.get(`${family} ${table}`)?.get(chain)?.push(rule);
    this.#touched.add(`${family} ${table}`);
  }

  #changed(family: NfFamily, table: string, { made = [], unmade = [] }: RulesetChange): void {
    const name = `${family} ${table}`;
    for (const { kind, name: own, bytes } of made) {
      if (kind === 'table') {
        this.#rules.set(name, new Map());
        this.#touched.delete(name);
        continue;
      }
      if (kind === 'chain') this.#rules.get(name)?.set(own, []);
      if (kind === 'rule') this.#rules.get(name)?.get(own)?.push(ruleText(bytes));
    }
    for (const chain of unmade) this.#rules.get(name)?.delete(chain);
    if (!made.some(({ kind }) => kind === 'table') && made.length + unmade.length > 0) this.#touched.add(name);
  }

  #statement(line: string): void {
    const [verb, what, family = '', table = '', chain = '', ...rule] = line.split(' ');
    const name = `${family} ${table}`;
    if (verb === 'delete' && what === 'table') {
      this.#rules.delete(name);
      this.#tables.flushRuleset();
    }
    if (verb === 'add' && what === 'chain') {
      this.#rules.get(name)?.set(chain, []);
      if (rule.length > 0) this.#base(name, chain);
      this.#tables.addTable(family as NfFamily, table, [], [chain]);
    }
    if (verb === 'delete' && what === 'chain') {
      this.#rules.get(name)?.delete(chain);
      this.#tables.removeChain(family as NfFamily, table, chain);
    }
    if (verb === 'add' && what === 'rule') this.#rules.get(name)?.get(chain)?.push(rule.join(' '));
  }

  #base(table: string, chain: string): void {
    this.#bases.set(table, (this.#bases.get(table) ?? new Set()).add(chain));
  }

  #create({ family, name, sets, chains }: ParsedTable): void {
    const word = family === 'IPv6' ? 'ip6' : 'ip';
    this.#rules.set(`${word} ${name}`, new Map([...chains.values()].map((chain) => [chain.name, [...chain.rules]])));
    this.#touched.delete(`${word} ${name}`);
    for (const chain of chains.values()) if (chain.base !== undefined) this.#base(`${word} ${name}`, chain.name);
    this.#tables.addTable(word, name, [...sets.keys()], [...chains.keys()]);
    const changes = [...sets.values()].map((set) => ({
      op: 'add' as const,
      set: set.name,
      elements: [...set.elements.values()].map((one) => this.#element(set.name as SetName, one, family)),
    }));
    this.#tables.commitAsAnother(word, name, changes);
  }

  #element(
    set: SetName,
    { key, value, comment, timeout, expires }: ParsedElement,
    family: ParsedTable['family'],
  ): SetElement {
    const { value: kind } = schemaOf(set, family);
    const bytes = kind === 'none' ? '' : kind === 'verdict' ? verdictValue(value, comment) : fieldsBytes(value, kind);
    return { ...elementOf(set, elementKey(set, key, family), bytes, family), ...(timeout > 0 && { timeout, expires }) };
  }
}
