/** Deletion: preconditions, grace, finalizers, propagation (features 8-078 to 8-083, 1-108, 1-109, 7-028, 7-035). */
import { ApiError, conflict, forbiddenRequest, notFound } from '../api/api-error.ts';
import { beginDeletion, type CustomResourceDefinition } from '../api/custom/definition.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, JOBS, NAMESPACES, REPLICATION_CONTROLLERS, type Kind } from '../api/kinds.ts';
import { strategyFor } from '../api/strategies.ts';
import type { KubeObject, Namespace } from '../api/types.ts';
import type { DeleteOptions } from '../client/client.ts';
import { timestamp } from '../lib/clock.ts';
import { ConditionFailed, type Operation } from '../store/store.ts';
import { admitDeletion } from './admission/chain.ts';
import { WebhookRefusal } from './admission/webhooks/refusal.ts';
import { MAX_TRIES, type Core, type WriteContext } from './core.ts';
import { Entry, encodeStored } from './entry.ts';
import { keyOf, storedKind } from './keys.ts';
import { confirmCurrent, putObject, readStored } from './read.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
/** What the cluster itself lives in. */
const protectedNamespaces: readonly string[] = ['default', 'kube-system', 'kube-public'];

export interface Deletion {
  readonly entry: Entry;
  /** False: it waits for its grace or its finalizers. */
  readonly gone: boolean;
}

/** Throws ApiError: 403, 404, 409. */
export async function deleteObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions,
  context: WriteContext,
): Promise<Deletion> {
  if (kind === NAMESPACES && protectedNamespaces.includes(name)) {
    throw forbiddenRequest(NAMESPACES, name, 'this namespace may not be deleted');
  }
  if (kind === JOBS && options.propagationPolicy === undefined) context.warnings.push(jobsWarning);
  const key = keyOf(kind, namespace, name);
  let current = core.cache.of(kind).get(key)?.as(kind);
  let fresh = false;
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    if (!current && !fresh) current = await readStored(core, kind, key);
    if (!current) throw notFound(kind, name);
    try {
      checkPreconditions(kind, name, current, options);
      await admitDeletion(core, { operation: 'DELETE', kind, namespace, name, old: current.object, context });
      const done = await tryDelete(core, kind, current, options, context.dryRun);
      if (done) return done;
    } catch (error) {
      // A precondition may have failed only because the cache is behind.
      if (fresh || !(error instanceof ApiError) || error instanceof WebhookRefusal) throw error;
    }
    current = await readStored(core, kind, key);
    fresh = true;
  }
  throw conflict(kind, name);
}

/** Undefined: somebody else was faster. */
async function tryDelete(
  core: Core,
  kind: Kind,
  current: Entry,
  options: DeleteOptions,
  dryRun: boolean,
): Promise<Deletion | undefined> {
  const object = current.copy();
  const changed = markDeleted(core, kind, object, options);
  try {
    if (isReadyToGo(object)) {
      const entry = dryRun ? current : await removeObject(core, kind, current, current.object);
      return { entry, gone: true };
    }
    if (!changed) {
      await confirmCurrent(core, current);
      return { entry: current, gone: false };
    }
    if (dryRun) {
      const text = encodeStored(kind, object);
      return { entry: new Entry(storedKind(kind), current.key, text, current.revision), gone: false };
    }
    const put = { key: current.key, object, expect: current.revision, also: [] };
    return { entry: await putObject(core, kind, put), gone: false };
  } catch (error) {
    if (error instanceof ConditionFailed) return undefined;
    throw error;
  }
}

/**
 * Takes it out for good, with all that belonged to it, in one commit. `last` is its final state, for the answer. Throws ConditionFailed.
 */
export async function removeObject(
  core: Core,
  kind: Kind,
  current: Entry,
  last: KubeObject,
  also: readonly Operation[] = [],
): Promise<Entry> {
  const { operations, settle } = core.hooks.onDelete(kind, current.object);
  try {
    const remove: Operation = { type: 'delete', key: current.key, expect: current.revision };
    const others = operations.filter((each) => !also.some((one) => one.key === each.key));
    const { revision } = await core.store.commit([remove, ...also, ...others]);
    return new Entry(storedKind(kind), current.key, encodeStored(kind, last), revision);
  } finally {
    settle();
  }
}

/** Sets deletionTimestamp, grace and finalizers as asked. False: nothing changed, a deletion is already under way. */
function markDeleted(core: Core, kind: Kind, object: KubeObject, options: DeleteOptions): boolean {
  const before = JSON.stringify(object);
  const meta = object.metadata;
  if (kind === CUSTOM_RESOURCE_DEFINITIONS && meta.deletionTimestamp === undefined) {
    beginDeletion(object as CustomResourceDefinition, timestamp(core.clock.now()));
  }
  const finalizers = finalizersFor(kind, meta.finalizers ?? [], options.propagationPolicy);
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;
  const grace = strategyFor(kind).deletionGracePeriod(object, options.gracePeriodSeconds) ?? 0;
  // A second DELETE may only shorten the grace (feature 7-035).
  const present = meta.deletionTimestamp === undefined ? undefined : (meta.deletionGracePeriodSeconds ?? 0);
  if (present === undefined || grace < present) {
    const begun = present === undefined ? core.clock.now() : Date.parse(meta.deletionTimestamp ?? '') - present * 1000;
    meta.deletionTimestamp = timestamp(Math.max(begun, 0) + grace * 1000);
    meta.deletionGracePeriodSeconds = grace;
    if (present === undefined && meta.generation !== undefined && meta.generation > 0) meta.generation += 1;
  }
  if (kind === NAMESPACES) (object as Namespace).status = { ...(object as Namespace).status, phase: 'Terminating' };
  return JSON.stringify(object) !== before;
}

/** Kinds whose dependents stay where nobody says what is to become of them, for they did before there was a choice. */
const orphaning: readonly Kind[] = [REPLICATION_CONTROLLERS, JOBS];
const jobsWarning =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

/** The policy as finalizers the garbage collector works off. Without one, finalizers decide that are there, then the kind. */
function finalizersFor(kind: Kind, present: readonly string[], asked: DeleteOptions['propagationPolicy']): string[] {
  const decided = present.includes(ORPHAN) || present.includes(FOREGROUND);
  const policy = asked ?? (orphaning.includes(kind) && !decided ? 'Orphan' : undefined);
  if (policy === undefined) return [...present];
  const others = present.filter((each) => each !== ORPHAN && each !== FOREGROUND);
  if (policy === 'Orphan') return [...others, ORPHAN];
  return policy === 'Foreground' ? [...others, FOREGROUND] : others;
}

function checkPreconditions(kind: Kind, name: string, current: Entry, { preconditions }: DeleteOptions): void {
  if (!preconditions) return;
  const { uid, resourceVersion } = preconditions;
  const present = current.object.metadata.uid ?? '';
  if (uid !== undefined && uid !== present) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${present}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== String(current.revision)) {
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${String(current.revision)}`,
    );
  }
}

/** Deletion was asked for and the last thing that held it back has gone (feature 8-081). */
export function isReadyToGo(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  const inner = (object as { spec?: { finalizers?: string[] } }).spec?.finalizers;
  const heldInside = object.kind === 'Namespace' && (inner?.length ?? 0) > 0;
  return (
    deletionTimestamp !== undefined && !finalizers?.length && !heldInside && (deletionGracePeriodSeconds ?? 0) === 0
  );
}
