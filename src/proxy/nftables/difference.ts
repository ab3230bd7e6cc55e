/** What must be done to one set so that it holds what it should. */
import type { SetTransaction } from './elements.ts';

/** Uses up `wanted`, which may be big. */
export function difference(
  there: Iterable<readonly [key: string, value: string]>,
  wanted: Map<string, string>,
): SetTransaction {
  const remove = new Set<string>();
  for (const [key, value] of there) {
    if (wanted.get(key) === value) wanted.delete(key);
    else remove.add(key);
  }
  return { remove, add: wanted };
}
