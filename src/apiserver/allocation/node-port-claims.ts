/**
 * Node ports written down, for stores that several servers write to: there a port that looks free in this server's memory may have been given
 * away a moment ago by another. Each port in use is a key made with its Service's own commit on the condition that it is absent, so of two
 * servers one is refused and picks again. (Cluster IPs have their IPAddress objects for this.) A store of this process alone needs none.
 */
import { SERVICES } from '../../api/kinds.ts';
import type { Service } from '../../api/types.ts';
import { ConditionFailed, type Entry as StoredEntry, type Operation } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { keyOf, prefixOf, ROOT } from '../keys.ts';
import { nodePortsOf } from './node-ports.ts';

const PREFIX = `${ROOT}ranges/servicenodeports/`;

/** The value says whose it is, for people who look; nothing reads it. */
export const claimPort = (port: number, { metadata }: Service): Operation => ({
  type: 'put',
  key: PREFIX + String(port),
  value: JSON.stringify({ namespace: metadata.namespace, name: metadata.name }),
  expect: 0,
});

export const releasePort = (port: number): Operation => ({ type: 'delete', key: PREFIX + String(port) });

/** What goes from the ports of `old` to those of `service`; undefined: there was, or will be, no Service. */
export function portOperations(old: Service | undefined, service: Service | undefined): Operation[] {
  const held = old ? nodePortsOf(old) : new Set<number>();
  const wanted = service ? nodePortsOf(service) : new Set<number>();
  return [
    ...(service ? [...wanted].filter((port) => !held.has(port)).map((port) => claimPort(port, service)) : []),
    ...[...held].filter((port) => !wanted.has(port)).map(releasePort),
  ];
}

/** Commits that put right what does not fit together: each on the condition that it is still as it was seen. Pure. */
export function planPortClaims(services: readonly Service[], claims: readonly StoredEntry[]): Operation[][] {
  const claimed = new Map(claims.map((claim) => [Number(claim.key.slice(PREFIX.length)), claim]));
  const used = new Set<number>();
  const missing = services.flatMap((service) =>
    [...nodePortsOf(service)]
      .filter((port) => !used.has(port))
      .flatMap((port): Operation[][] => {
        used.add(port);
        if (claimed.has(port)) return [];
        const { metadata } = service;
        const key = keyOf(SERVICES, metadata.namespace, metadata.name);
        return [[{ type: 'check', key, expect: Number(metadata.resourceVersion) }, claimPort(port, service)]];
      }),
  );
  const left = claims.filter((claim) => !used.has(Number(claim.key.slice(PREFIX.length))));
  return [...missing, ...left.map(({ key, revision }): Operation[] => [{ type: 'delete', key, expect: revision }])];
}

/** After a backup was put back, or keys were changed by hand. Throws what the store throws. */
export async function repairPortClaims({ store, cache }: Core): Promise<void> {
  const { entries, revision } = await store.list(PREFIX);
  await cache.catchUp();
  await cache.waitFor(revision);
  const services = cache.of(SERVICES).range(prefixOf(SERVICES));
  for (const operations of planPortClaims(
    services.map((entry) => entry.object as Service),
    entries,
  )) {
    try {
      await store.commit(operations);
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
    }
  }
}
