/** What must be done to one set so that it holds what it should. */
import type { SetTransaction } from './elements.ts';

export function difference(there: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): SetTransaction {
  const remove = new Set<string>();
  const add = new Map<string, string>();
  for (const [key, value] of there) if (wanted.get(key) !== value) remove.add(key);
  for (const [key, value] of wanted) if (there.get(key) !== value) add.set(key, value);
  return { remove, add };
}
