/** Our table as the kernel has it: what an applier asks and does, whichever way it goes. */
import type { AffinityEntry } from './affinity.ts';
import type { Transaction } from './elements.ts';
import type { SetName } from './schema.ts';
import type { Chain } from './skeleton.ts';
import type { Wanted } from './wanted.ts';

/** What somebody else did to our table: the set whose elements he changed, or more than elements. `lost`: the kernel could not tell. */
export type Tampering = SetName | 'rules' | 'lost';

export interface KernelTable {
  /** Names of its chains; empty where there is no table. */
  chains(): Promise<ReadonlySet<string>>;
  /** Names of its chains and how many rules each has: more to read, and nothing that was flushed goes unseen. */
  rules(): Promise<ReadonlyMap<string, number>>;
  isThere(): Promise<boolean>;
  /** Of a set that packets do not fill. */
  elements(set: SetName): Promise<Iterable<readonly [key: string, value: string]>>;
  affinity(): Promise<readonly AffinityEntry[]>;
  /** Whether `commit` can make such a counted chain in the table that is there. */
  canMake(name: string): Promise<boolean>;
  /** In force when it resolves: all or, when it throws, nothing. `chains` are new; to those in `unused` nothing leads after it. */
  commit(transaction: Transaction, chains: readonly Chain[], unused?: readonly string[]): Promise<void>;
  /** Entries that are not there any more are no error. */
  forget(entries: readonly AffinityEntry[]): Promise<void>;
  /** Puts a whole table in the place of what is there, at one moment. */
  replace(chains: readonly Chain[], wanted: Wanted, affinity: readonly AffinityEntry[]): Promise<void>;
  /** Tells of changes by anybody else. */
  watch?(onTampering: (what: Tampering) => void): () => void;
  close(): void;
}
