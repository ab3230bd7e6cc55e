/**
 * Quotas hold because what is used is written in the commit of the object itself, on the condition that nobody wrote the quota in
 * between: however many writers there are, and however many servers, the limit is never passed. Writers of one server wait for each
 * other per namespace, so that they do not lose races against themselves.
 */
import { ApiError, forbiddenRequest } from '../../../api/api-error.ts';
import { RESOURCE_QUOTAS, type Kind } from '../../../api/kinds.ts';
import type { ResourceList } from '../../../api/pod-resources.ts';
import type { KubeObject, ResourceQuota } from '../../../api/types.ts';
import { ConditionFailed, type Operation } from '../../../store/store.ts';
import type { Core } from '../../core.ts';
import { encodeStored, type Entry } from '../../entry.ts';
import { prefixOf } from '../../keys.ts';
import type { Attributes } from '../attributes.ts';
import { checkQuota, totalUsage } from './check.ts';

/** Lost against another server so often, the namespace is too busy. */
const MAX_TRIES = 16;

/** One per namespace that is being written to. */
const turns = new WeakMap<Core, Map<string, Promise<unknown>>>();

/**
 * `commit` writes the object together with the operations it is given. Throws Forbidden when a quota is exceeded, and what `commit`
 * throws. Only creates and updates of the object itself count.
 */
export async function withinQuota(
  core: Core,
  attributes: Attributes,
  commit: (operations: readonly Operation[]) => Promise<Entry>,
): Promise<Entry> {
  const { namespace, operation, subresource, context } = attributes;
  const counted = (operation === 'CREATE' || operation === 'UPDATE') && subresource === undefined;
  if (!counted || namespace === undefined || context.isInternal || quotasOf(core, namespace).length === 0) {
    return await commit([]);
  }
  return await inTurn(core, namespace, async () => {
    for (let attempt = 1; ; attempt++) {
      await core.cache.catchUp();
      const operations = charge(core, attributes, namespace);
      try {
        return await commit(operations);
      } catch (error) {
        const lost = error instanceof ConditionFailed && operations.some(({ key }) => key === error.key);
        if (!lost) throw error;
        if (attempt >= MAX_TRIES) throw busy(attributes.kind, attributes.name);
      }
    }
  });
}

async function inTurn<T>(core: Core, namespace: string, work: () => Promise<T>): Promise<T> {
  const own = turns.get(core) ?? new Map<string, Promise<unknown>>();
  turns.set(core, own);
  const before = own.get(namespace) ?? Promise.resolve();
  const mine = before.then(work);
  const settled = mine.catch(() => undefined);
  own.set(namespace, settled);
  try {
    return await mine;
  } finally {
    if (own.get(namespace) === settled) own.delete(namespace);
  }
}

/** Throws Forbidden. */
function charge(core: Core, { kind, object, old }: Attributes, namespace: string): Operation[] {
  if (!object) return [];
  const now = core.clock.now();
  return quotasOf(core, namespace).flatMap((entry): Operation[] => {
    const quota = entry.object as ResourceQuota;
    // A new quota, or one whose limits changed, has not been counted for yet.
    const used = isCounted(quota) ? (quota.status?.used ?? {}) : countUsed(core, quota, now);
    const verdict = checkQuota(quota, used, { kind, object, old, now });
    if ('refused' in verdict) throw forbiddenRequest(kind, object.metadata.name, verdict.refused);
    return verdict.used ? [recordUsed(entry, verdict.used)] : [];
  });
}

export function quotasOf(core: Core, namespace: string): Entry[] {
  const quotas = core.cache.of(RESOURCE_QUOTAS);
  return quotas.size === 0 ? [] : quotas.range(`${prefixOf(RESOURCE_QUOTAS)}${namespace}/`);
}

/** `status` is about the limits of `spec`. */
export function isCounted({ spec, status }: ResourceQuota): boolean {
  const [wanted, told, used] = [spec?.hard ?? {}, status?.hard ?? {}, status?.used ?? {}];
  const names = new Set([...Object.keys(wanted), ...Object.keys(told)]);
  return [...names].every((name) => wanted[name] === told[name] && used[name] !== undefined);
}

/** What the objects of the quota's namespace use, as the cache has them. */
export function countUsed(core: Core, quota: ResourceQuota, now: number): ResourceList {
  return totalUsage(quota, objectsIn(core, quota), now);
}

function* objectsIn(core: Core, { metadata, spec }: ResourceQuota): Generator<readonly [Kind, KubeObject]> {
  const names = Object.keys(spec?.hard ?? {});
  for (const { kind } of core.cache.kinds()) {
    if (!kind.namespaced || !mayCount(kind, names)) continue;
    const entries = core.cache.of(kind).range(`${prefixOf(kind)}${metadata.namespace ?? ''}/`);
    for (const entry of entries) yield [kind, entry.object];
  }
}

/** Spares looking at kinds none of the limits is about. */
function mayCount(kind: Kind, names: readonly string[]): boolean {
  if (['pods', 'persistentvolumeclaims', 'services'].includes(kind.plural)) return true;
  const full = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
  return names.includes(`count/${full}`) || names.includes(kind.plural);
}

/** The quota with another status, on the condition that it is still the one that was read. */
export function recordUsed({ key, object, revision }: Entry, used: ResourceList): Operation {
  const quota = object as ResourceQuota;
  const status = { hard: { ...quota.spec?.hard }, used: { ...used } };
  return {
    type: 'put',
    key,
    value: encodeStored(RESOURCE_QUOTAS, { ...quota, status } as KubeObject),
    expect: revision,
  };
}

function busy(kind: Kind, name: string): ApiError {
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${kind.plural} ${JSON.stringify(name)}: the quotas of the namespace were written too often in between; please try again`,
    details: { name, kind: kind.plural },
  });
}
