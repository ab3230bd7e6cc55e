/**
 * What a controller has asked for and not yet seen come back through its cache. Until it has, the cache is stale in exactly the respect
 * that matters, and acting on it would create a pod twice or delete one too many. Times are milliseconds since the epoch.
 */

/** After this long what was expected is taken as lost (an event missed across a relist), and the cache is believed again. */
const LOST_AFTER_MS = 5 * 60_000;

interface Expected {
  creations: number;
  readonly deletions: Set<string>;
  since: number;
}

/** Keys are the owners' uids, so that an owner made anew under the same name starts with a clean sheet. */
export class Expectations {
  readonly #byOwner = new Map<string, Expected>();

  /** Called before the requests go out: their events may be back before their answers are. */
  expectCreations(owner: string, count: number, now: number): void {
    if (count > 0) this.#of(owner, now).creations += count;
  }

  expectDeletions(owner: string, uids: readonly string[], now: number): void {
    if (uids.length === 0) return;
    const expected = this.#of(owner, now);
    for (const uid of uids) expected.deletions.add(uid);
  }

  /** A creation was seen, or will never be because the request failed. */
  creationObserved(owner: string, count = 1): void {
    const expected = this.#byOwner.get(owner);
    if (!expected) return;
    expected.creations = Math.max(0, expected.creations - count);
    this.#tidy(owner, expected);
  }

  deletionObserved(owner: string, uid: string): void {
    const expected = this.#byOwner.get(owner);
    if (!expected) return;
    expected.deletions.delete(uid);
    this.#tidy(owner, expected);
  }

  /** Milliseconds to wait at the most until the cache may be acted on; 0: now. What is seen before then ends the wait. */
  waitFor(owner: string, now: number): number {
    const expected = this.#byOwner.get(owner);
    if (!expected) return 0;
    const left = expected.since + LOST_AFTER_MS - now;
    if (left > 0) return left;
    this.#byOwner.delete(owner);
    return 0;
  }

  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }

  #of(owner: string, now: number): Expected {
    const expected = this.#byOwner.get(owner) ?? { creations: 0, deletions: new Set<string>(), since: now };
    expected.since = now;
    this.#byOwner.set(owner, expected);
    return expected;
  }

  #tidy(owner: string, expected: Expected): void {
    if (expected.creations === 0 && expected.deletions.size === 0) this.#byOwner.delete(owner);
  }
}
