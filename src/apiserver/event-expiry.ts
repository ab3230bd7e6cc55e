/** Events live an hour (feature 8-105): by a lease where the store has such, else looked for every minute. */
import { EVENTS } from '../api/kinds.ts';
import type { Event } from '../api/types.ts';
import type { Operation } from '../store/store.ts';
import { ConditionFailed } from '../store/store.ts';
import type { Core } from './core.ts';
import { prefixOf } from './keys.ts';

/** Seconds. */
export const EVENT_TTL = 3600;
const PERIOD = 60_000;
/** Deletions in one commit. */
const BATCH = 100;

/** Milliseconds since the epoch at which anything last happened to it. */
export function lastSeen({ metadata, lastTimestamp, eventTime, series }: Event): number {
  const times = [metadata.creationTimestamp, lastTimestamp, eventTime, series?.lastObservedTime];
  return Math.max(0, ...times.map((time) => (time ? Date.parse(time) || 0 : 0)));
}

export async function expireEvents(core: Core): Promise<void> {
  const cutoff = core.clock.now() - EVENT_TTL * 1000;
  const old = core.cache
    .of(EVENTS)
    .range(prefixOf(EVENTS))
    .filter((entry) => lastSeen(entry.object as Event) < cutoff);
  for (let at = 0; at < old.length; at += BATCH) {
    const operations = old
      .slice(at, at + BATCH)
      .map(({ key, revision }): Operation => ({ type: 'delete', key, expect: revision }));
    try {
      await core.store.commit(operations);
    } catch (error) {
      // One of them has just happened again: the next round takes the others.
      if (!(error instanceof ConditionFailed)) throw error;
    }
  }
}

/** Returns the stop. */
export function keepExpiringEvents(core: Core): () => void {
  const timer = setInterval(() => {
    expireEvents(core).catch((error: unknown) => {
      core.log.warn({ err: error }, 'old events could not be removed');
    });
  }, PERIOD);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
