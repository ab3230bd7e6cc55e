/** Counts for quotas anew when something went away, ended, or a limit changed; and from time to time in any case. */
import { CUSTOM_RESOURCE_DEFINITIONS, RESOURCE_QUOTAS } from '../../../api/kinds.ts';
import type { ResourceQuota } from '../../../api/types.ts';
import { deepEqual } from '../../../api/deep-equal.ts';
import { done, retryAfter, WorkQueue } from '../../../lib/queue.ts';
import { ConditionFailed } from '../../../store/store.ts';
import type { Core } from '../../core.ts';
import type { CacheEvent } from '../../kind-cache.ts';
import { countUsed, quotasOf, recordUsed } from './enforce.ts';

/** Milliseconds: how long a burst of deletions is waited for, and between looks at everything. */
const DELAY = 20;
const PERIOD = 300_000;
const EVERYWHERE = '*';

/** Returns the stop. */
export function keepQuotas(core: Core): () => Promise<void> {
  const queue = new WorkQueue({
    log: core.log,
    clock: core.clock,
    reconcile: async (key) => {
      if (key !== EVERYWHERE) {
        await recount(core, key);
        return done;
      }
      subscribe();
      for (const namespace of namespacesWithQuotas(core)) queue.add(namespace);
      return retryAfter(PERIOD);
    },
  });
  const follow = (event: CacheEvent): void => {
    const { namespace } = event.entry.object.metadata;
    if (namespace === undefined || quotasOf(core, namespace).length === 0) return;
    // What is created or grows is counted in its own commit.
    if (event.type === 'delete' || event.previous !== undefined) queue.addAfter(namespace, DELAY);
    else if (event.entry.kind === RESOURCE_QUOTAS) queue.add(namespace);
  };
  const counted = () => [...core.cache.kinds()].filter(({ kind }) => kind.namespaced && !IGNORED.includes(kind.plural));
  // Kinds come with their definitions. Nobody listens twice: it is a set.
  const subscribe = (): void => {
    for (const { listeners } of counted()) listeners.add(follow);
  };
  const onDefinition = (): void => {
    queue.addAfter(EVERYWHERE, DELAY);
  };
  const definitions = core.cache.of(CUSTOM_RESOURCE_DEFINITIONS).listeners;
  definitions.add(onDefinition);
  subscribe();
  queue.add(EVERYWHERE);
  queue.start();
  return async () => {
    definitions.delete(onDefinition);
    for (const { listeners } of counted()) listeners.delete(follow);
    await queue.stop();
  };
}

/** Written all the time and seldom limited: the look at everything finds them. */
const IGNORED = ['events', 'leases'];

function namespacesWithQuotas(core: Core): Set<string> {
  const entries = core.cache.of(RESOURCE_QUOTAS).range('');
  return new Set(entries.map(({ object }) => object.metadata.namespace ?? ''));
}

/**
 * The cache follows all writes in their order, and a quota is written in the commit of what it counts; so where the quota is still
 * as the cache has it, the objects counted are those it must speak of.
 */
async function recount(core: Core, namespace: string): Promise<void> {
  await core.cache.catchUp();
  for (const entry of quotasOf(core, namespace)) {
    const quota = entry.object as ResourceQuota;
    const used = countUsed(core, quota, core.clock.now());
    if (deepEqual(quota.status, { hard: quota.spec?.hard ?? {}, used })) continue;
    try {
      await core.store.commit([recordUsed(entry, used)]);
    } catch (error) {
      // Written in between: that write's own event brings the next look.
      if (!(error instanceof ConditionFailed)) throw error;
    }
  }
}
