/**
 * Remembers what this process last wrote, so that a controller never decides on a copy older than its own writes: it would make the same
 * slice twice (2-062). Resource versions are compared as numbers, which is what ours are.
 */
import type { KubeObject } from '../api/types.ts';

/** One write: the least version the copy must show, or undefined where it must be gone; and when it was made, in ms. */
interface Write {
  readonly least: bigint | undefined;
  readonly at: number;
}

/** Longer than any copy lags. Another's deletion may pass our own answer unseen; waiting for ever for such an object would be worse. */
const WAIT_MS = 10_000;

export class WriteTracker {
  /** Key -> uid -> last write. */
  readonly #writes = new Map<string, Map<string, Write>>();

  wrote(key: string, object: KubeObject, now: number): void {
    const { uid, resourceVersion } = object.metadata;
    if (uid === undefined || resourceVersion === undefined) return;
    this.#of(key).set(uid, { least: BigInt(resourceVersion), at: now });
  }

  removed(key: string, object: KubeObject, now: number): void {
    if (object.metadata.uid !== undefined) this.#of(key).set(object.metadata.uid, { least: undefined, at: now });
  }

  /** To be told of every deletion seen, whoever did it: what is gone can no longer be waited for. */
  sawRemoval(key: string, object: KubeObject): void {
    if (object.metadata.uid !== undefined) this.#writes.get(key)?.delete(object.metadata.uid);
  }

  /** Whether the copy has all our writes. */
  isFresh(key: string, copy: readonly KubeObject[], now: number): boolean {
    const writes = this.#writes.get(key);
    if (!writes) return true;
    const versions = new Map(copy.map(({ metadata }) => [metadata.uid, BigInt(metadata.resourceVersion ?? 0)]));
    return [...writes].every(([uid, { least, at }]) => {
      if (now - at > WAIT_MS) return true;
      const seen = versions.get(uid);
      return least === undefined ? seen === undefined : seen !== undefined && seen >= least;
    });
  }

  /** Whether the object is the very one we wrote last: its event is no news. */
  isOwnEcho(key: string, object: KubeObject): boolean {
    const { uid = '', resourceVersion } = object.metadata;
    const least = this.#writes.get(key)?.get(uid)?.least;
    return least !== undefined && resourceVersion !== undefined && BigInt(resourceVersion) === least;
  }

  forget(key: string): void {
    this.#writes.delete(key);
  }

  #of(key: string): Map<string, Write> {
    const known = this.#writes.get(key);
    if (known) return known;
    const made = new Map<string, Write>();
    this.#writes.set(key, made);
    return made;
  }
}
