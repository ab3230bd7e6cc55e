/**
 * Which dependencies have changed since when. Counts changes, and keeps the count at which each was changed last: a packet made at a count holds as long
 * as none of its dependencies has a later one. Dependencies share places by their hash: then a packet is forgotten that need not be, never the other
 * way round.
 */
import type { Dependency } from '../plugin.ts';

/** 256 KB. */
const PLACES = 1 << 16;

export class Versions {
  readonly #changedAt = new Uint32Array(PLACES);
  #now: number;
  #floor: number;

  /** @param start for tests */
  constructor(start = 1) {
    this.#now = start;
    this.#floor = start;
  }

  /** To be read before an answer is made: what changes while it is made is then later. */
  get now(): number {
    return this.#now;
  }

  placeOf(dependency: Dependency): number {
    let hash = 0;
    for (let at = 0; at < dependency.length; at++) hash = Math.imul(hash ^ dependency.charCodeAt(at), 0x01000193);
    return (hash ^ (hash >>> 16)) & (PLACES - 1);
  }

  /** `undefined`: everything. */
  change(dependency: Dependency | undefined): void {
    this.#now++;
    if (dependency === undefined) this.#floor = this.#now;
    else this.#changedAt[this.placeOf(dependency)] = this.#now;
  }

  /** False once the count no longer fits: who keeps packets then begins anew, with other versions. */
  get isUsable(): boolean {
    return this.#now < 0xffff_fff0;
  }

  /** Whether nothing at `count` places of `places`, from `from`, has changed since `madeAt`. */
  hold(places: Uint32Array, from: number, count: number, madeAt: number): boolean {
    if (madeAt < this.#floor) return false;
    for (let at = from; at < from + count; at++) {
      if ((this.#changedAt[places[at] ?? 0] ?? 0) > madeAt) return false;
    }
    return true;
  }
}
