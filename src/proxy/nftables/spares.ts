/**
 * Counted chains are made ahead. nft 1.0.6 cannot add a rule that asks a map of endpoints once that map is in the kernel ("conflicting
 * protocols specified"): it can only write both at once. So a count nobody foresaw means writing the whole table again, at one moment
 * and without harm, but at a cost that grows with the cluster.
 */
import { COUNTED_KINDS, countOf } from './skeleton.ts';

/** At least these many of every kind: what small Services scale to and fro between. */
const FEWEST = 64;

/** The names, and of each kind all counts up to the next power of two. Affinity times are not counts; they can be added at any time. */
export function withSpares(names: Iterable<string>): readonly string[] {
  const found = new Set(names);
  const highest = new Map<string, number>();
  for (const name of found) {
    const counted = countOf(name);
    if (counted) highest.set(counted.kind, Math.max(highest.get(counted.kind) ?? 0, counted.count));
  }
  for (const kind of COUNTED_KINDS) {
    if (canBeAdded(kind)) continue;
    const top = 2 ** Math.ceil(Math.log2(Math.max(FEWEST, highest.get(kind) ?? 0)));
    for (let count = 1; count <= top; count++) found.add(`${kind}-${String(count)}`);
  }
  return [...found];
}

/** Whether nft can add such a chain to a table that is there. */
export const canBeAdded = (kind: string): boolean => kind === 'remember';
