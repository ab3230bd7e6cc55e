/**
 * What several holders use and the last one closes: connections and watches. A reloaded Corefile takes the watches of the one before, so that
 * nothing is listed again and no name is unknown for a moment.
 */

export interface Held<T> {
  readonly value: T;
  /** Of several calls the first counts. */
  release(): void;
}

interface Entry {
  readonly value: unknown;
  readonly close: () => void;
  holders: number;
}

export class Shared {
  readonly #entries = new Map<string, Entry>();

  /** @param key says all that `open` depends on: whoever gives the same gets the same */
  acquire<T>(key: string, open: () => { readonly value: T; readonly close: () => void }): Held<T> {
    const entry = this.#entries.get(key) ?? { ...open(), holders: 0 };
    this.#entries.set(key, entry);
    entry.holders++;
    let isHeld = true;
    return {
      value: entry.value as T,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        if (--entry.holders > 0) return;
        this.#entries.delete(key);
        entry.close();
      },
    };
  }
}
