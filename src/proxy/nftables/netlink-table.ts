/**
 * Our table through one long-lived netlink socket: elements in well under a millisecond, and with them the chains of a number of endpoints or an
 * affinity time that is seen for the first time. nft writes the table once; what it made is read back, and sent again where somebody took it away.
 */
import type { Family } from '../../lib/ip.ts';
import { HostError } from '../../host/exec.ts';
import type { NfChange, NfFamily, NfTables, SetElement } from '../../host/netlink/nf-tables.ts';
import type { NfImage } from '../../host/netlink/nf-image.ts';
import type { NfRules } from '../../host/netlink/nf-rules.ts';
import type { Nft } from '../../host/nft.ts';
import type { AffinityEntry } from './affinity.ts';
import type { Emit, Transaction } from './elements.ts';
import type { KernelTable, Tampering } from './kernel-table.ts';
import { changesOf, commitAll, elementOf, keyAndValueOf, textOf } from './netlink-elements.ts';
import { NftTable } from './nft-table.ts';
import { render, renderChains } from './render.ts';
import { nftFamily, schemaOf, setNames, TABLE, type SetName } from './schema.ts';
import { SIGNATURE, type Chain } from './skeleton.ts';
import { countedObjects, tableObjects } from './templates.ts';
import type { Wanted } from './wanted.ts';

/** After nft wrote for us, word of it comes a little later. */
const ECHO_MS = 50;

export class NetlinkTable implements KernelTable {
  readonly #tables: NfTables;
  readonly #byCommand: NftTable;
  readonly #nfRules: NfRules | undefined;
  readonly #nft: Nft;
  readonly #family: Family;
  readonly #nfFamily: NfFamily;
  /** Who changed our table while nft wrote for us, by process; undefined: it does not. */
  #echoes: Set<number> | undefined;
  #listener: ((what: Tampering) => void) | undefined;
  /** As it was when nft had made it, or, of a table found, when it was first needed. */
  #image: NfImage | undefined;

  /** Without `nfRules` they are counted by nft, which reads all elements on the way, and no counted chain can be added. */
  constructor(tables: NfTables, nft: Nft, family: Family, nfRules?: NfRules) {
    this.#nfRules = nfRules;
    this.#tables = tables;
    this.#nft = nft;
    this.#byCommand = new NftTable(nft, family);
    this.#family = family;
    this.#nfFamily = nftFamily(family);
  }

  isThere(): Promise<boolean> {
    return this.#tables.hasTable(this.#nfFamily, TABLE);
  }

  async chains(): Promise<ReadonlySet<string>> {
    return new Set(await this.#tables.chains(this.#nfFamily, TABLE));
  }

  async rules(): Promise<ReadonlyMap<string, number>> {
    if (!this.#nfRules) return this.#byCommand.rules();
    const counts = await this.#nfRules.count(this.#nfFamily, TABLE);
    return new Map([...(await this.chains())].map((name) => [name, counts.get(name) ?? 0]));
  }

  async elements(set: SetName): Promise<Iterable<readonly [key: string, value: string]>> {
    const elements = await this.#tables.dump(this.#nfFamily, TABLE, set);
    return (function* () {
      for (const element of elements) yield keyAndValueOf(element);
    })();
  }

  async affinity(): Promise<readonly AffinityEntry[]> {
    const dump = (set: SetName) => this.#tables.dump(this.#nfFamily, TABLE, set);
    const entries = await dump('affinity');
    if (this.#family === 'IPv4') return entries.map((one) => entryOf(one, ''));
    const ports = new Map((await dump('affinity-ports')).map((one) => [textOf(one.key), textOf(one.data ?? one.key)]));
    // the twin of one that is just coming or going is not there
    return entries.flatMap((one) => {
      const port = ports.get(textOf(one.key));
      return port === undefined ? [] : [entryOf(one, port)];
    });
  }

  async canMake(name: string): Promise<boolean> {
    if (this.#nfRules) this.#image ??= await this.#nfRules.read(this.#nfFamily, TABLE);
    return this.#image !== undefined && countedObjects(this.#image, name) !== undefined;
  }

  async commit(transaction: Transaction, chains: readonly Chain[], unmade: readonly string[] = []): Promise<void> {
    const image = this.#image;
    const made = image ? chains.flatMap(({ name }) => countedObjects(image, name) ?? []) : [];
    const changes = changesOf(transaction, this.#family);
    if (changes.length + made.length + unmade.length === 0) return;
    await this.#tables.commit(this.#nfFamily, TABLE, changes, { made, unmade });
  }

  /** One that expired meanwhile fails the rest, so then they are tried by halves. */
  async forget(entries: readonly AffinityEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const maps = setNames(this.#family).filter((set) => schemaOf(set, this.#family).dynamic);
    const changes = maps.map((set) => ({
      op: 'delete' as const,
      set,
      elements: entries.map(({ key }) => elementOf(set, key, '', this.#family)),
    }));
    try {
      await this.#tables.commit(this.#nfFamily, TABLE, changes);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (entries.length === 1) return;
      const half = Math.ceil(entries.length / 2);
      await this.forget(entries.slice(0, half));
      await this.forget(entries.slice(half));
    }
  }

  /**
   * Where a table is, nft does it, so that there is no moment without one. Where none is, the elements come the fast way, and the chains that packets
   * enter by come last: until all is there nothing is refused that would have been served.
   */
  async replace(chains: readonly Chain[], wanted: Wanted, affinity: readonly AffinityEntry[]): Promise<void> {
    if (await this.isThere()) {
      this.#image = undefined;
      await this.#expectEcho(() => this.#byCommand.replace(chains, wanted, affinity));
      await this.#remember();
      return;
    }
    if (await this.#remake(chains, wanted)) return;
    this.#image = undefined;
    const isEntry = ({ base }: Chain) => base !== undefined;
    const inner = chains.filter((one) => !isEntry(one));
    await this.#load(render({ family: this.#family, chains: inner, elements: new Map() }));
    await this.#fill(wanted);
    await this.#load(renderChains(chains.filter(isEntry), this.#family));
    await this.#remember();
  }

  /** From what nft made before, where that was the same. False when nothing was written. */
  async #remake(chains: readonly Chain[], wanted: Wanted): Promise<boolean> {
    const image = this.#image;
    const names = chains.map(({ name }) => name);
    const isSame = image?.isUntouched === true && names.some((name) => SIGNATURE.test(name) && image.chains.has(name));
    const objects = isSame ? tableObjects(image, names) : undefined;
    if (!objects) return false;
    try {
      await this.#tables.commit(this.#nfFamily, TABLE, [], { made: objects.inner });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return false;
    }
    await this.#fill(wanted);
    await this.#tables.commit(this.#nfFamily, TABLE, [], { made: objects.entries });
    return true;
  }

  #fill(wanted: Wanted): Promise<void> {
    const emitAll = (emit: Emit) => {
      wanted.emit(emit);
    };
    return commitAll(emitAll, this.#family, (changes) => this.#tables.commit(this.#nfFamily, TABLE, changes));
  }

  /** Rules are in force already: what cannot be read now is read when it is needed. */
  async #remember(): Promise<void> {
    try {
      this.#image = await this.#nfRules?.read(this.#nfFamily, TABLE);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }

  watch(onTampering: (what: Tampering) => void): () => void {
    this.#listener = onTampering;
    const stop = this.#tables.monitor((change) => {
      this.#heard(change);
    });
    return () => {
      this.#listener = undefined;
      stop();
    };
  }

  close(): void {
    this.#tables.close();
    this.#nfRules?.close();
  }

  #heard({ kind, family, table, pid, set }: NfChange): void {
    if (kind === 'lost') {
      this.#listener?.('lost');
      return;
    }
    if (family !== this.#nfFamily || table !== TABLE) return;
    // packets fill these, and who else does harms only himself
    if (set !== undefined && set.startsWith('affinity') && schemaOf(set as SetName, this.#family).dynamic) return;
    if (this.#echoes) {
      this.#echoes.add(pid ?? 0);
      if (this.#echoes.size < 2) return;
    }
    const ours = kind.startsWith('set-element') && setNames(this.#family).find((one) => one === set);
    this.#listener?.(ours || 'rules');
  }

  #load(text: string): Promise<void> {
    return this.#expectEcho(() => this.#nft.load(text));
  }

  /** What our own nft does is told like anybody else's; what two processes did meanwhile is not ours alone. */
  async #expectEcho(task: () => Promise<void>): Promise<void> {
    const echoes = new Set<number>();
    this.#echoes = echoes;
    try {
      await task();
    } finally {
      setTimeout(() => {
        if (this.#echoes === echoes) this.#echoes = undefined;
      }, ECHO_MS).unref();
    }
  }
}

function entryOf({ key, data, timeout = 0, expires = timeout }: SetElement, port: string): AffinityEntry {
  return { key: textOf(key), endpoint: (data ? textOf(data) : '') + port, timeout, expires };
}
