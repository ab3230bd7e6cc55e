/** Our table through the nft command: readable, and a few milliseconds a change. */
import type { Family } from '../../lib/ip.ts';
import { HostError } from '../../host/exec.ts';
import type { Nft } from '../../host/nft.ts';
import type { AffinityEntry } from './affinity.ts';
import { fieldsBytes } from './bytes.ts';
import { verdictValue, type Transaction } from './elements.ts';
import type { KernelTable } from './kernel-table.ts';
import { parse, type ParsedElement, type ParsedTable } from './parse.ts';
import { affinityTexts, keyText, render, renderTransaction } from './render.ts';
import { nftFamily, schemaOf, setNames, TABLE, type SetName } from './schema.ts';
import { countOf, type Chain } from './skeleton.ts';
import { elementKey } from './text-elements.ts';
import type { Wanted } from './wanted.ts';

/** Entries of one name each, so many that a line does not grow without end. */
const FORGET_AT_ONCE = 1000;

export class NftTable implements KernelTable {
  readonly #nft: Nft;
  readonly #family: Family;

  constructor(nft: Nft, family: Family) {
    this.#nft = nft;
    this.#family = family;
  }

  async isThere(): Promise<boolean> {
    return (await this.rules()).size > 0;
  }

  async chains(): Promise<ReadonlySet<string>> {
    return new Set((await this.rules()).keys());
  }

  async rules(): Promise<ReadonlyMap<string, number>> {
    const [table] = parse(await this.#nft.list(nftFamily(this.#family), TABLE, { terse: true }));
    return new Map([...(table?.chains.values() ?? [])].map(({ name, rules }) => [name, rules.length]));
  }

  async elements(set: SetName): Promise<ReadonlyMap<string, string>> {
    const schema = schemaOf(set, this.#family);
    const found = new Map<string, string>();
    for (const element of (await this.#list(set))?.sets.get(set)?.elements.values() ?? []) {
      found.set(elementKey(set, element.key, this.#family), valueOf(element, schema.value));
    }
    return found;
  }

  async affinity(): Promise<readonly AffinityEntry[]> {
    const { key, value } = schemaOf('affinity', this.#family);
    const entries = (await this.#list('affinity'))?.sets.get('affinity')?.elements.values() ?? [];
    const ports =
      this.#family === 'IPv6' ? (await this.#list('affinity-ports'))?.sets.get('affinity-ports') : undefined;
    return [...entries].flatMap((element): AffinityEntry[] => {
      if (value === 'none' || value === 'verdict') return [];
      const port = ports?.elements.get(element.key);
      // the twin of one that is just coming or going
      if (this.#family === 'IPv6' && !port) return [];
      const endpoint = fieldsBytes(element.value, value) + (port ? fieldsBytes(port.value, ['port']) : '');
      return [{ key: fieldsBytes(element.key, key), endpoint, timeout: element.timeout, expires: element.expires }];
    });
  }

  /** nft 1.0.6 cannot add a rule that asks a map declared with `typeof` once that map is in the kernel ("conflicting protocols specified"). */
  canMake(name: string): Promise<boolean> {
    return Promise.resolve(countOf(name)?.kind === 'remember');
  }

  async commit(transaction: Transaction, chains: readonly Chain[], unused: readonly string[] = []): Promise<void> {
    const text = renderTransaction(transaction, chains, this.#family, unused);
    if (text !== '') await this.#nft.load(text);
  }

  async forget(entries: readonly AffinityEntry[]): Promise<void> {
    for (let at = 0; at < entries.length; at += FORGET_AT_ONCE) {
      await this.#forgetSome(entries.slice(at, at + FORGET_AT_ONCE));
    }
  }

  replace(chains: readonly Chain[], wanted: Wanted, affinity: readonly AffinityEntry[]): Promise<void> {
    const table = { family: this.#family, chains, elements: wanted.elements() };
    return this.#nft.load(render(table, affinityTexts(affinity, this.#family)));
  }

  close(): void {
    // nothing is held between calls
  }

  async #list(set: SetName): Promise<ParsedTable | undefined> {
    const kind = schemaOf(set, this.#family).value === 'none' ? 'set' : 'map';
    const [table] = parse(await this.#nft.listSet(kind, nftFamily(this.#family), TABLE, set));
    return table;
  }

  /** One that expired meanwhile fails the rest, so then each goes alone. */
  async #forgetSome(entries: readonly AffinityEntry[]): Promise<void> {
    const name = `${nftFamily(this.#family)} ${TABLE}`;
    const maps = setNames(this.#family).filter((set) => schemaOf(set, this.#family).dynamic);
    const lines = (some: readonly AffinityEntry[]) =>
      maps.map((map) => {
        const keys = some.map(({ key }) => keyText(map, key, this.#family));
        return `delete element ${name} ${map} { ${keys.join(', ')} }\n`;
      });
    try {
      await this.#nft.load(lines(entries).join(''));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (entries.length === 1) return;
      const half = Math.ceil(entries.length / 2);
      await this.#forgetSome(entries.slice(0, half));
      await this.#forgetSome(entries.slice(half));
    }
  }
}

function valueOf(
  { value, comment }: ParsedElement,
  kind: 'none' | 'verdict' | Parameters<typeof fieldsBytes>[1],
): string {
  if (kind === 'none') return '';
  return kind === 'verdict' ? verdictValue(value, comment) : fieldsBytes(value, kind);
}
