/** Since when each address family's rules are what the API says: what health answers are made of (3-143). */
import type { Family } from '../../lib/ip.ts';

export interface FamilyHealth {
  /** ms since the epoch of the last sync that worked; 0: none yet. */
  readonly lastUpdated: number;
  readonly healthy: boolean;
}

export type FamilyHealths = ReadonlyMap<Family, FamilyHealth>;

interface Entry {
  lastUpdated: number;
  /** When the oldest change came in that no sync has begun with. */
  queuedSince: number | undefined;
  /** The same of the sync under way: while it runs its changes wait as well. */
  writingSince: number | undefined;
}

export class HealthBook {
  readonly #entries: ReadonlyMap<Family, Entry>;
  /** Those that cannot be written on this machine: the others are well without them (3-028). */
  readonly #leftOut = new Set<Family>();
  readonly #patience: number;

  /** `patience`: ms a change may wait before the proxy counts as ill. */
  constructor(families: readonly Family[], patience: number) {
    const fresh = (): Entry => ({ lastUpdated: 0, queuedSince: undefined, writingSince: undefined });
    this.#entries = new Map(families.map((family) => [family, fresh()]));
    this.#patience = patience;
  }

  /** A change came in. */
  queued(now: number, family: Family): void {
    const entry = this.#entries.get(family);
    if (entry) entry.queuedSince ??= now;
  }

  leaveOut(family: Family): void {
    this.#leftOut.add(family);
  }

  takeIn(family: Family): void {
    this.#leftOut.delete(family);
  }

  /** A sync begins, with every change so far. */
  begun(family: Family): void {
    const entry = this.#entries.get(family);
    if (!entry) return;
    entry.writingSince = entry.queuedSince;
    entry.queuedSince = undefined;
  }

  succeeded(family: Family, now: number): void {
    const entry = this.#entries.get(family);
    if (!entry) return;
    entry.lastUpdated = now;
    entry.writingSince = undefined;
  }

  /** What the kernel holds is not known now, so something waits even where nothing had changed. */
  failed(family: Family, now: number): void {
    const entry = this.#entries.get(family);
    if (!entry) return;
    entry.queuedSince = entry.writingSince ?? entry.queuedSince ?? now;
    entry.writingSince = undefined;
  }

  /** Healthy: rules were written at least once, and no change waits for longer than the patience (trap T17). */
  status(now: number): FamilyHealths {
    const counted = [...this.#entries].filter(([family]) => !this.#leftOut.has(family));
    return new Map(
      counted.map(([family, { lastUpdated, queuedSince, writingSince }]) => {
        const since = writingSince ?? queuedSince;
        const healthy = lastUpdated > 0 && (since === undefined || now - since < this.#patience);
        return [family, { lastUpdated, healthy }];
      }),
    );
  }

  isHealthy(now: number): boolean {
    return [...this.status(now).values()].every((one) => one.healthy);
  }
}
