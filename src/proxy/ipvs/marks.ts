/** Which mark leads to which virtual server. */
import { fnv1a32 } from '../../lib/hash.ts';

const LARGEST = 0x7fff;

/**
 * Marks of fifteen bits, 1 and up, by name. A name keeps its mark while it is held; where two would have the same, the later one takes
 * the next that is free. Asked in the same order, two of these give the same marks.
 */
export class Marks {
  readonly #byName = new Map<string, number>();
  readonly #taken = new Set<number>();

  /** Throws RangeError when all 32,767 are held. */
  hold(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#taken.size >= LARGEST) throw new RangeError(`no packet mark is left for ${name}`);
    let mark = (fnv1a32(name) % LARGEST) + 1;
    while (this.#taken.has(mark)) mark = (mark % LARGEST) + 1;
    this.#byName.set(name, mark);
    this.#taken.add(mark);
    return mark;
  }

  release(name: string): void {
    const mark = this.#byName.get(name);
    if (mark === undefined) return;
    this.#byName.delete(name);
    this.#taken.delete(mark);
  }
}
