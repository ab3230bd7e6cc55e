/**
 * Tables, sets, chains and rules in the kernel's own bytes: read from one table and good to be sent again, as they are or with other numbers. What a rule means is nobody's
 * business here; nft wrote the first of its kind.
 */
import { eachAttribute } from './message-reader.ts';

const DATA_OF_EXPRESSION = 2;
const RULE_EXPRESSIONS = 4;

/** Which attribute of an object, by kind, is its name, and which are those that the kernel takes back. The rest are its own: handles, counters, uses. */
const taken = {
  table: { message: 0xa00, name: 1, keep: [1, 6] },
  chain: { message: 0xa03, name: 3, keep: [1, 3, 4, 5, 7, 12] },
  rule: { message: 0xa06, name: 2, keep: [1, 2, 4, 7] },
  set: { message: 0xa09, name: 2, keep: [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13] },
  elements: { message: 0xa0c, name: 2, keep: [1, 2, 3] },
} as const;

export type NfKind = keyof typeof taken;

/** What one message makes. */
export interface NfObject {
  readonly kind: NfKind;
  /** Its own; of a rule the chain's, of elements the set's. */
  readonly name: string;
  /** Attributes behind `nfgenmsg`. */
  readonly bytes: Uint8Array;
}

export interface NfChainImage {
  readonly chain: NfObject;
  /** Packets enter by it. */
  readonly isBase: boolean;
  /** Its rules, each behind the anonymous sets it asks, with their elements. */
  readonly rules: readonly NfObject[];
}

/** One table, without the elements of its named sets. */
export interface NfImage {
  readonly table: NfObject;
  readonly sets: readonly NfObject[];
  readonly chains: ReadonlyMap<string, NfChainImage>;
  /** Nothing was added or taken away since the table was made, but elements. */
  readonly isUntouched: boolean;
}

export const messageOf = (kind: NfKind): number => taken[kind].message;
export const nameAttributeOf = (kind: NfKind): number => taken[kind].name;

/** What of a dumped message the kernel takes back. */
export function objectOf(kind: NfKind, name: string, payload: Buffer): NfObject {
  const keep = new Set<number>(taken[kind].keep);
  const bytes = rewritten(payload.subarray(4), (type, value) => (keep.has(type) ? value : undefined));
  // an anonymous set is known by a number as long as the transaction lasts; nothing of ours asks for it
  return { kind, name, bytes: kind === 'set' ? Buffer.concat([bytes, attribute(10, Buffer.of(0, 0, 0, 1))]) : bytes };
}

export interface Renumbering {
  /** What numgen draws less than. */
  readonly modulus?: number;
  /** Milliseconds an element lives that a rule adds. */
  readonly timeout?: number;
  /** Of the anonymous sets, which no two rules share. */
  readonly set: string;
}

/** A chain as another one is, under a name and with numbers of its own. */
export function chainLike({ chain, rules }: NfChainImage, name: string, numbers: Renumbering): readonly NfObject[] {
  const named = (object: NfObject, to: string): NfObject => ({
    ...object,
    name: to,
    bytes: rewritten(object.bytes, (type, value) => (type === taken[object.kind].name ? words(to) : value)),
  });
  const sets = new Map<string, string>();
  const own = (set: string): string => {
    const found = sets.get(set) ?? (sets.size === 0 ? numbers.set : `${numbers.set}${String(sets.size)}`);
    sets.set(set, found);
    return found;
  };
  const copied = rules.map((object) => {
    if (object.kind !== 'rule') return named(object, own(object.name));
    const bytes = rewritten(object.bytes, (type, value) =>
      type === RULE_EXPRESSIONS
        ? rewritten(value, (_type, expression) => renumbered(expression, numbers, sets))
        : value,
    );
    return named({ ...object, bytes }, name);
  });
  return [named(chain, name), ...copied];
}

/** `NFTA_NG_MODULUS`, `NFTA_DYNSET_TIMEOUT`, `NFTA_LOOKUP_SET`: the only numbers and names of an expression that differ among chains of a kind. */
function renumbered(
  expression: Uint8Array,
  { modulus, timeout }: Renumbering,
  sets: ReadonlyMap<string, string>,
): Uint8Array {
  let kind = '';
  return rewritten(expression, (type, value) => {
    if (type !== DATA_OF_EXPRESSION) {
      kind = textOf(value);
      return value;
    }
    return rewritten(value, (attributeType, own) => {
      if (kind === 'numgen' && attributeType === 2 && modulus !== undefined) return be(modulus, 4);
      if (kind === 'dynset' && attributeType === 6 && timeout !== undefined) return be(timeout, 8);
      if (kind === 'lookup' && attributeType === 1) return words(sets.get(textOf(own)) ?? textOf(own));
      return own;
    });
  });
}

/** The same attributes with other values; undefined leaves one out. */
export function rewritten(
  bytes: Uint8Array,
  change: (type: number, value: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const parts: Uint8Array[] = [];
  eachAttribute(bytes, 0, bytes.length, (type, from, to) => {
    const value = change(type, bytes.subarray(from, to));
    if (value) parts.push(attribute(type, value));
  });
  return Buffer.concat(parts);
}

/** Names of the sets that a rule's lookups ask. */
export function setsAskedBy({ bytes }: NfObject): readonly string[] {
  const names: string[] = [];
  const each = (list: Uint8Array, visit: (type: number, value: Uint8Array) => void) => {
    eachAttribute(list, 0, list.length, (type, from, to) => {
      visit(type, list.subarray(from, to));
    });
  };
  each(bytes, (type, list) => {
    if (type !== RULE_EXPRESSIONS) return;
    each(list, (_type, expression) => {
      let kind = '';
      each(expression, (part, value) => {
        if (part !== DATA_OF_EXPRESSION) kind = textOf(value);
        else if (kind === 'lookup') each(value, (own, name) => own === 1 && names.push(textOf(name)));
      });
    });
  });
  return names;
}

export function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc((value.length + 7) & ~3);
  bytes.writeUInt16LE(value.length + 4, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

const words = (text: string): Uint8Array => Buffer.from(`${text}\0`);

const textOf = (value: Uint8Array): string => {
  const end = value.indexOf(0);
  return Buffer.from(value.subarray(0, end < 0 ? value.length : end)).toString();
};

function be(value: number, size: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(size);
  if (size === 8) bytes.writeBigUInt64BE(BigInt(value));
  else bytes.writeUInt32BE(value);
  return bytes;
}
