/** Elements of our sets and maps, and the least work that makes one collection of them another. */
import type { SetName } from './schema.ts';

/**
 * Set -> key -> value, both in bytes (`bytes.ts`). The value of a verdict map is nft's word for it, and behind a NUL the comment;
 * of a set ''.
 */
export type Elements = ReadonlyMap<SetName, ReadonlyMap<string, string>>;

/** Takes one element. */
export type Emit = (set: SetName, key: string, value: string) => void;

/** What becomes of one set. Keys in `remove` may be in `add` too: another value takes the place of the old one. */
export interface SetTransaction {
  readonly remove: Set<string>;
  readonly add: Map<string, string>;
}

/** Everything in it takes effect at one moment. */
export type Transaction = ReadonlyMap<SetName, SetTransaction>;

export const verdictValue = (verdict: string, comment = ''): string =>
  comment === '' ? verdict : `${verdict}\0${comment}`;

export function splitVerdict(value: string): { readonly verdict: string; readonly comment: string } {
  const at = value.indexOf('\0');
  return at < 0 ? { verdict: value, comment: '' } : { verdict: value.slice(0, at), comment: value.slice(at + 1) };
}

/** The chain a verdict goes to. */
export function chainOf(value: string): string | undefined {
  const { verdict } = splitVerdict(value);
  return verdict.startsWith('goto ') || verdict.startsWith('jump ') ? verdict.slice(5) : undefined;
}

export class ElementStore {
  readonly sets = new Map<SetName, Map<string, string>>();

  readonly emit: Emit = (set, key, value) => {
    const elements = this.sets.get(set);
    if (elements) elements.set(key, value);
    else this.sets.set(set, new Map([[key, value]]));
  };
}

/** Gathers what goes and what comes; what does both with the same value does neither. */
export class TransactionBuilder {
  readonly #sets = new Map<SetName, SetTransaction>();

  /** The element is there with this value, and goes. To be called before `add` of the same key. */
  readonly remove = (set: SetName, key: string, value: string): void => {
    this.#old(set).set(key, value);
  };
  readonly add = (set: SetName, key: string, value: string): void => {
    const old = this.#before.get(set);
    if (old?.get(key) === value) old.delete(key);
    else this.#of(set).add.set(key, value);
  };

  readonly #before = new Map<SetName, Map<string, string>>();

  build(): Transaction {
    for (const [set, old] of this.#before) for (const key of old.keys()) this.#of(set).remove.add(key);
    this.#before.clear();
    return this.#sets;
  }

  #old(set: SetName): Map<string, string> {
    const old = this.#before.get(set) ?? new Map<string, string>();
    this.#before.set(set, old);
    return old;
  }

  #of(set: SetName): SetTransaction {
    const found = this.#sets.get(set) ?? { remove: new Set<string>(), add: new Map<string, string>() };
    this.#sets.set(set, found);
    return found;
  }
}

/** Elements taken away, added or changed. */
export function sizeOf(transaction: Transaction): number {
  let size = 0;
  for (const { remove, add } of transaction.values()) {
    size += add.size;
    for (const key of remove) if (!add.has(key)) size++;
  }
  return size;
}
