/** What a proxy needs of nf_tables once its table, chains and sets exist: elements in, elements out, and word of what others did. */
import type { NfObject } from './nf-image.ts';

export type NfFamily = 'ip' | 'ip6';

export type VerdictCode = 'accept' | 'drop' | 'goto' | 'jump' | 'return' | 'continue';

export interface Verdict {
  readonly code: VerdictCode;
  /** Of goto and jump. */
  readonly chain?: string;
}

/** One element of a set or map, as the kernel stores it: each key field padded to 4 bytes, network order for addresses and ports, host order for marks and numgen. */
export interface SetElement {
  readonly key: Uint8Array;
  /** End (inclusive) of an interval in a set of concatenated intervals. */
  readonly keyEnd?: Uint8Array;
  /** Value in a data map; fields padded like the key's. */
  readonly data?: Uint8Array;
  /** Value in a verdict map. */
  readonly verdict?: Verdict;
  /** Milliseconds the element lives; a set made without timeouts refuses it. */
  readonly timeout?: number;
  /** Milliseconds left; of a dumped element, or to restore one. */
  readonly expires?: number;
  readonly comment?: string;
  /** Of a dumped element in an interval set of a single field: this is the open end (exclusive) of the element before. Needed to add such a pair, too. */
  readonly intervalEnd?: boolean;
}

export interface SetChange {
  readonly op: 'add' | 'delete';
  readonly set: string;
  /** For `delete` only key, keyEnd and intervalEnd count. */
  readonly elements: readonly SetElement[];
}

/** What a transaction does besides elements. */
export interface RulesetChange {
  /** Before any element, in this order. What is there already under its name is EEXIST. */
  readonly made?: readonly NfObject[];
  /** Chains nothing leads to when all is done, with their rules; EBUSY where something does. */
  readonly unmade?: readonly string[];
}

export type NfChangeKind =
  | 'table-added'
  | 'table-deleted'
  | 'chain-added'
  | 'chain-deleted'
  | 'rule-added'
  | 'rule-deleted'
  | 'set-added'
  | 'set-deleted'
  | 'set-element-added'
  | 'set-element-deleted'
  /** The kernel dropped messages because they came faster than they were read: anything may have changed. */
  | 'lost';

/** One thing another process changed. A transaction that touches many is told as one change per kind and object; elements are not counted. */
export interface NfChange {
  readonly kind: NfChangeKind;
  /** `ip`, `ip6`, or another of the kernel's families (`inet`, `arp`, …); absent for `lost`. */
  readonly family?: string;
  readonly table?: string;
  readonly set?: string;
  readonly chain?: string;
  /** Process id and name of who did it, where the kernel says. */
  readonly pid?: number;
  readonly program?: string;
}

export interface NfTables {
  /**
   * All or nothing, in one transaction, in the order given; live in the kernel when it resolves. Adding an element that exists with the same value is
   * no error; with another value it is EEXIST (delete it first, in the same commit). Deleting one that is not there is ENOENT.
   * Throws NetlinkError: its message names the set and the errno (ENOENT, EEXIST, EBUSY, ENOSPC, …).
   */
  commit(family: NfFamily, table: string, changes: readonly SetChange[], ruleset?: RulesetChange): Promise<void>;
  /**
   * Every element, as of one generation of the ruleset that has at least the commits awaited before. Commits do not wait for it, unless they keep coming
   * between, so that it is begun again. Throws NetlinkError (ENOENT where the table or set is not there; EINTR when others
   * never leave it in peace).
   */
  dump(family: NfFamily, table: string, set: string): Promise<readonly SetElement[]>;
  /** Names of the table's sets and maps, anonymous ones left out; empty where there is no table. */
  sets(family: NfFamily, table: string): Promise<readonly string[]>;
  /** Names of the table's chains; empty where there is no table. */
  chains(family: NfFamily, table: string): Promise<readonly string[]>;
  hasTable(family: NfFamily, table: string): Promise<boolean>;
  /** Calls back after a transaction of anyone but this object, in order, once for each thing it changed. Does not keep the process alive. Returns stop. */
  monitor(onChange: (change: NfChange) => void): () => void;
  /** Ends the socket; a call after it throws NetlinkError EBADF. */
  close(): void;
}
