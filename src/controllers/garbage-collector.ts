/**
 * Removes what nobody owns any more, of every kind (feature 8-082): background deletion of dependents, foreground deletion
 * (the owner waits for them) and orphaning (they are let go). Works from the informers' owner index, so nothing is ever scanned.
 */
import { isConflict, isNotFound } from '../api/api-error.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, resourceNameOf, type Kind } from '../api/kinds.ts';
import type { KubeObject, Meta } from '../api/types.ts';
import type { Change } from '../client/client.ts';
import { ignoreNotFound } from './api-outcomes.ts';
import { builtInKinds, CollectedKinds } from './collected-kinds.ts';
import {
  FOREGROUND,
  ORPHAN,
  blocks,
  decideDependent,
  isOrphaning,
  isWaitingForDependents,
  type OwnerState,
} from './garbage-plan.ts';
import {
  defineController,
  done,
  keyOf,
  retryAfter,
  splitKey,
  trigger,
  type Controller,
  type Outcome,
  type View,
} from './loop.ts';

const garbageKey = (kind: Kind, object: KubeObject) => `${resourceNameOf(kind)} ${keyOf(object)}`;

interface Found {
  readonly kind: Kind;
  readonly object: KubeObject;
}

function dependentsOf(uid: string | undefined, view: View, { kinds }: Memory): Found[] {
  if (uid === undefined) return [];
  return kinds.all.flatMap((kind) => view.byIndex(kind, 'owner', uid).map((object) => ({ kind, object })));
}

/** Uids known to be gone, from deletions seen or asked about: spares one question per dependent. Bounded, oldest out. */
class GoneOwners {
  readonly #uids = new Set<string>();
  add(uid: string): void {
    this.#uids.add(uid);
    if (this.#uids.size > 10_000) for (const oldest of this.#uids.values().take(1)) this.#uids.delete(oldest);
  }
  has(uid: string): boolean {
    return this.#uids.has(uid);
  }
}

/** What one collector knows besides what it sees. */
interface Memory {
  readonly gone: GoneOwners;
  readonly kinds: CollectedKinds;
}

export function garbageCollector(): Controller {
  const memory: Memory = { gone: new GoneOwners(), kinds: new CollectedKinds() };
  const triggerOf = (kind: Kind) => trigger(kind, (change, view) => keysOfChange(kind, change, view, memory));
  const definitions = trigger(CUSTOM_RESOURCE_DEFINITIONS, (change, view) => {
    memory.kinds.take(change, view, triggerOf);
    return keysOfChange(CUSTOM_RESOURCE_DEFINITIONS, change, view, memory);
  });
  return defineController({
    name: 'garbage-collector-controller',
    triggers: [...builtInKinds.filter((kind) => kind !== CUSTOM_RESOURCE_DEFINITIONS).map(triggerOf), definitions],
    async reconcile(key, view) {
      const space = key.indexOf(' ');
      const kind = memory.kinds.byResource(key.slice(0, space));
      await memory.kinds.ready();
      const { namespace, name } = splitKey(key.slice(space + 1));
      const object = kind && view.get(kind, name, namespace === '' ? undefined : namespace);
      if (!kind || !object) return done;
      try {
        if (isOrphaning(object)) return await orphan(kind, object, view, memory);
        if (isWaitingForDependents(object)) return await awaitDependents(kind, object, view, memory);
        if (object.metadata.deletionTimestamp !== undefined) return done;
        return await collect(kind, object, view, memory);
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) return retryAfter(50);
        throw error;
      }
    },
  });
}

function keysOfChange(kind: Kind, change: Change<KubeObject>, view: View, memory: Memory): string[] {
  const { object } = change;
  const { uid, ownerReferences = [] } = object.metadata;
  if (change.type === 'deleted') {
    if (uid !== undefined) memory.gone.add(uid);
    const dependents = dependentsOf(uid, view, memory).map((found) => garbageKey(found.kind, found.object));
    return [...dependents, ...ownersWaiting(object, view, memory)];
  }
  if (isOrphaning(object) || isWaitingForDependents(object)) return [garbageKey(kind, object)];
  if (ownerReferences.length === 0 || object.metadata.deletionTimestamp !== undefined) return [];
  const news = change.type === 'added' || !sameReferences(change.old.metadata.ownerReferences, ownerReferences);
  return news ? [garbageKey(kind, object), ...ownersWaiting(object, view, memory)] : [];
}

function sameReferences(a: readonly Meta.OwnerReference[] = [], b: readonly Meta.OwnerReference[]): boolean {
  return a.length === b.length && a.every(({ uid }, at) => uid === b[at]?.uid);
}

/** Keys of owners that wait for this dependent. */
function ownersWaiting(dependent: KubeObject, view: View, { kinds }: Memory): string[] {
  return (dependent.metadata.ownerReferences ?? []).flatMap((reference) => {
    const kind = kinds.ofOwner(reference);
    const owner = kind && ownerInView(kind, reference, dependent, view);
    return owner && isWaitingForDependents(owner) ? [garbageKey(kind, owner)] : [];
  });
}

/** An owner is in its dependent's namespace, or in none. */
function ownerInView(
  kind: Kind,
  reference: Meta.OwnerReference,
  dependent: KubeObject,
  view: View,
): KubeObject | undefined {
  const owner = view.get(kind, reference.name, kind.namespaced ? dependent.metadata.namespace : undefined);
  return owner?.metadata.uid === reference.uid ? owner : undefined;
}

async function ownerState(
  reference: Meta.OwnerReference,
  dependent: KubeObject,
  view: View,
  { gone, kinds }: Memory,
): Promise<OwnerState> {
  const kind = kinds.ofOwner(reference);
  if (!kind) return 'unknown';
  const { namespace } = dependent.metadata;
  if (kind.namespaced && namespace === undefined) {
    view.event(dependent, 'Warning', 'OwnerRefInvalidNamespace', invalidText(reference, namespace));
    return 'unknown';
  }
  const owner = ownerInView(kind, reference, dependent, view);
  if (owner) return isWaitingForDependents(owner) ? 'deleting' : 'present';
  if (gone.has(reference.uid)) return 'absent';
  try {
    // Our copies are not in step with each other: the owner may just not have arrived here yet.
    const live = await view.client.get(kind, reference.name, kind.namespaced ? namespace : undefined);
    if (live.metadata.uid === reference.uid) return isWaitingForDependents(live) ? 'deleting' : 'present';
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const elsewhere = kind.namespaced && view.list(kind).some(({ metadata }) => metadata.uid === reference.uid);
  if (elsewhere) view.event(dependent, 'Warning', 'OwnerRefInvalidNamespace', invalidText(reference, namespace));
  else gone.add(reference.uid);
  return 'absent';
}

const invalidText = ({ apiVersion, kind, name, uid }: Meta.OwnerReference, namespace = '') =>
  `ownerRef [${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}] does not exist in namespace "${namespace}"`;

async function collect(kind: Kind, object: KubeObject, view: View, memory: Memory): Promise<Outcome> {
  const { name, namespace, uid, resourceVersion, ownerReferences = [] } = object.metadata;
  const states: OwnerState[] = [];
  for (const reference of ownerReferences) states.push(await ownerState(reference, object, view, memory));
  const decision = decideDependent(ownerReferences, states, dependentsOf(uid, view, memory).length > 0);
  switch (decision.what) {
    case 'keep':
      return done;
    case 'drop-references':
      await patchMetadata(kind, object, { ownerReferences: decision.ownerReferences }, view);
      return done;
    case 'delete':
      // The version guards against somebody having adopted it meanwhile.
      await ignoreNotFound(
        view.client.delete(kind, name, namespace, {
          propagationPolicy: decision.policy,
          preconditions: {
            ...(uid !== undefined && { uid }),
            ...(resourceVersion !== undefined && { resourceVersion }),
          },
        }),
      );
      return done;
  }
}

/** Lets the dependents go, then the owner. */
async function orphan(kind: Kind, owner: KubeObject, view: View, memory: Memory): Promise<Outcome> {
  const { uid } = owner.metadata;
  for (const { kind: dependentKind, object } of dependentsOf(uid, view, memory)) {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
    await ignoreNotFound(patchMetadata(dependentKind, object, { ownerReferences }, view));
  }
  await removeFinalizer(kind, owner, ORPHAN, view);
  return done;
}

/** Asks the dependents to go; the owner goes when the last one that blocks it has. Their deletions make its key due again. */
async function awaitDependents(kind: Kind, owner: KubeObject, view: View, memory: Memory): Promise<Outcome> {
  const { uid = '' } = owner.metadata;
  const dependents = dependentsOf(uid, view, memory);
  for (const dependent of dependents) {
    if (dependent.object.metadata.deletionTimestamp === undefined)
      view.enqueue(garbageKey(dependent.kind, dependent.object));
  }
  if (!dependents.some(({ object }) => blocks(object, uid))) await removeFinalizer(kind, owner, FOREGROUND, view);
  return done;
}

async function removeFinalizer(kind: Kind, object: KubeObject, finalizer: string, view: View): Promise<void> {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  await ignoreNotFound(patchMetadata(kind, object, { finalizers }, view));
}

async function patchMetadata(
  kind: Kind,
  object: KubeObject,
  change: Partial<Meta.ObjectMeta>,
  view: View,
): Promise<void> {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const metadata = { uid, resourceVersion, ...change };
  await view.client.patch(kind, name, namespace, 'merge', { metadata });
}
