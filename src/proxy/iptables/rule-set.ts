/** iptables rules as data: what `compile` makes, `render` writes, `parse` reads back and `trace` follows. */
import type { Family } from '../../lib/ip.ts';

export type TableName = 'mangle' | 'filter' | 'nat';

/** In the order they are to be written. */
export type Match =
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'protocol'; readonly protocol: string }
  | { readonly kind: 'dport'; readonly port: number }
  | { readonly kind: 'source' | 'destination'; readonly cidr: string; readonly not?: boolean }
  /** `name` may end in `+`, which stands for any ending. */
  | { readonly kind: 'interface'; readonly name: string; readonly not?: boolean }
  | { readonly kind: 'address-type'; readonly of: 'src' | 'dst'; readonly type: string; readonly not?: boolean }
  | { readonly kind: 'state'; readonly states: readonly string[]; readonly not?: boolean }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number; readonly not?: boolean }
  /** The addresses of an ipset, in the order `directions` says: `dst,dst,src`. */
  | { readonly kind: 'set'; readonly name: string; readonly directions: string; readonly not?: boolean }
  | { readonly kind: 'random'; readonly probability: number }
  | { readonly kind: 'recent-check'; readonly name: string; readonly seconds: number }
  | { readonly kind: 'recent-set'; readonly name: string }
  /** Somebody else's: kept as text, refused by `trace`. */
  | { readonly kind: 'unknown'; readonly text: string };

export type Target =
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'ACCEPT' | 'DROP' | 'RETURN' | 'REJECT' }
  | { readonly kind: 'MASQUERADE'; readonly randomFully: boolean }
  | { readonly kind: 'DNAT'; readonly to: string }
  /** To this port of the node itself. */
  | { readonly kind: 'REDIRECT'; readonly port: number }
  /** `or` sets the bits, `xor` flips them. */
  | { readonly kind: 'MARK'; readonly op: 'or' | 'xor'; readonly bits: number }
  /** A rule that only speaks. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly text: string };

export interface Rule {
  readonly matches: readonly Match[];
  readonly target: Target;
}

export interface Chain {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** ACCEPT or DROP of a built-in chain; undefined for those that programs make. */
  readonly policy?: string;
  /** The `-A` lines, and how many they are, where they are at hand: to be had without the rules. */
  readonly text?: string;
  readonly count?: number;
}

/** A rule of ours in a built-in chain. */
export interface Jump {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: Rule;
}

export interface RuleSet {
  readonly family: Family;
  /** Chains of ours, in the order they are written. */
  readonly tables: Readonly<Record<TableName, readonly Chain[]>>;
  /** In the order they are to stand at the top of their chains (3-032..3-035). */
  readonly jumps: readonly Jump[];
}

export const jumpTo = (chain: string): Target => ({ kind: 'jump', chain });
export const comment = (text: string): Match => ({ kind: 'comment', text });
export const rule = (matches: readonly Match[], target: Target): Rule => ({ matches, target });
