/** The APIService of every group and version this server serves itself, as `kubectl get apiservices` lists them. */
import { API_SERVICES } from '../api/kinds.ts';
import { strategyFor } from '../api/strategies.ts';
import type { APIService } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { ConditionFailed, type Operation } from '../store/store.ts';
import type { Core } from './core.ts';
import { servedGroups } from './discovery.ts';
import { encodeStored } from './entry.ts';
import { keyOf } from './keys.ts';
import { ServedKinds } from './served-kinds.ts';

/** Of the first group; each further one has a little less, so that clients list them in the order of discovery. */
const HIGHEST_PRIORITY = 17_900;
const STEP = 50;

export function apiServices(): APIService[] {
  return servedGroups(new ServedKinds()).flatMap(({ name: group, versions }, at) =>
    versions.map(({ version }, index) => ({
      metadata: { name: `${version}.${group}`, labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: {
        ...(group !== '' && { group }),
        version,
        groupPriorityMinimum: HIGHEST_PRIORITY - at * STEP,
        versionPriority: Math.max(15 - index * 3, 1),
      },
    })),
  );
}

const all = apiServices();

/** Makes those that are not there, all in one commit: a start waits for it. */
export async function ensureApiServices(core: Core): Promise<void> {
  const cache = core.cache.of(API_SERVICES);
  const missing = all.filter(({ metadata }) => !cache.get(keyOf(API_SERVICES, undefined, metadata.name)));
  if (missing.length === 0) return;
  const operations = missing.map((wanted): Operation => {
    const object = structuredClone(wanted);
    Object.assign(object.metadata, { uid: core.newUid(), creationTimestamp: timestamp(core.clock.now()) });
    strategyFor(API_SERVICES).prepareForCreate(object);
    const key = keyOf(API_SERVICES, undefined, object.metadata.name);
    return { type: 'put', key, value: encodeStored(API_SERVICES, object), expect: 0 };
  });
  try {
    await core.store.commit(operations);
  } catch (error) {
    // Another server of the same store did it in the same moment.
    if (!(error instanceof ConditionFailed)) throw error;
  }
}
