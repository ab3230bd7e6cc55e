/**
 * Every change of a present object - PUT, PATCH and the subresources - goes through `updateObject`: read, change, check, commit on
 * the condition that nobody else wrote in between, and again from the start where somebody did (features 8-064 to 8-066, 8-075).
 */
import { ApiError, conflict, invalidObject, notFound } from '../api/api-error.ts';
import { semanticEqual } from '../api/deep-equal.ts';
import type { FieldError } from '../api/field-error.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import { carryOverMetadata } from '../api/meta.ts';
import { strategyFor } from '../api/strategies.ts';
import type { KubeObject } from '../api/types.ts';
import { errorsIn } from '../api/versions/convert.ts';
import { ConditionFailed } from '../store/store.ts';
import { restrictNode } from './admission/node-restriction.ts';
import type { Attributes } from './admission/attributes.ts';
import { admitFace, type Face } from './admission/face.ts';
import { admitMutating, admitValidating } from './admission/chain.ts';
import { AFTER_ADMISSION, dedupeOwners } from './admission/owner-references.ts';
import { withinQuota } from './admission/quota/enforce.ts';
import { WebhookRefusal } from './admission/webhooks/refusal.ts';
import { MAX_TRIES, noSideEffects, type Core, type WriteContext } from './core.ts';
import { createObject } from './create.ts';
import { isReadyToGo, removeObject } from './delete.ts';
import { encodeStored, Entry } from './entry.ts';
import { keyOf, storedKind } from './keys.ts';
import { ownUpdated, sameOwners } from './ownership.ts';
import { confirmCurrent, putObject, readStored } from './read.ts';

export interface Change {
  /** `raw` skips the strategy: for subresources that make exactly one allowed change (binding, finalize). */
  readonly through: 'main' | 'status' | 'raw';
  /** Makes the wanted object. `current` is a copy to change at will; undefined where the object does not exist and may be created. */
  apply(current: KubeObject | undefined): KubeObject;
  /** Under which face webhooks see the change; absent: `main` and `status` as they are, `raw` not at all. */
  readonly face?: Face;
  /** The wanted object says itself who owns what: it was applied. It may be created. */
  readonly owned?: boolean;
}

export interface Outcome {
  readonly entry: Entry;
  readonly created: boolean;
}

/** Throws ApiError: 404, 409, 422. A resourceVersion in the wanted object that is not the present one is a conflict. */
export async function updateObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  change: Change,
  context: WriteContext,
): Promise<Outcome> {
  const key = keyOf(kind, namespace, name);
  let current = core.cache.of(kind).get(key)?.as(kind);
  let fresh = false;
  for (let attempt = 1; ; attempt++) {
    if (!current && !fresh) {
      current = await readStored(core, kind, key);
      fresh = true;
    }
    if (!current) return await createInstead(core, kind, namespace, name, change, context);
    const warnings = context.warnings.length;
    try {
      const object = change.apply(current.copy());
      const wanted = object.metadata.resourceVersion;
      if (wanted && wanted !== String(current.revision)) throw conflict(kind, name);
      const entry = await tryUpdate(core, kind, current, object, change, context);
      if (entry) return { entry, created: false };
    } catch (error) {
      // What was checked may have been checked against a past state of the cache.
      if (!(error instanceof ApiError) || error instanceof WebhookRefusal || fresh) throw error;
    }
    context.warnings.length = warnings;
    if (attempt >= MAX_TRIES) throw conflict(kind, name);
    current = await readStored(core, kind, key);
    fresh = true;
  }
}

async function createInstead(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  change: Change,
  context: WriteContext,
): Promise<Outcome> {
  if (change.through !== 'main' || !(change.owned || strategyFor(kind).allowCreateOnUpdate)) throw notFound(kind, name);
  const object = change.apply(undefined);
  if (object.metadata.resourceVersion && object.metadata.resourceVersion !== '0') throw conflict(kind, name);
  if (change.owned && object.metadata.uid) {
    const { uid } = object.metadata;
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(kind, name, why);
  }
  core.guard.checkCreate(context.user, kind, namespace, name);
  delete object.metadata.resourceVersion;
  return { entry: await createObject(core, kind, namespace, object, context, change.owned), created: true };
}

/** Undefined: somebody else was faster. */
async function tryUpdate(
  core: Core,
  kind: Kind,
  current: Entry,
  object: KubeObject,
  { through, face, owned = false }: Change,
  context: WriteContext,
): Promise<Entry | undefined> {
  const old = current.copy();
  sameObject(kind, object, old);
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
  const attributes = (): Attributes & { object: KubeObject; old: KubeObject } => ({
    operation: 'UPDATE',
    kind,
    namespace: old.metadata.namespace,
    name: old.metadata.name,
    ...(through === 'status' && { subresource: 'status' }),
    object,
    old,
    context,
  });
  // A raw change is the server's own way of doing what was admitted under another name.
  if (through !== 'raw') {
    strategyFor(kind).applyDefaults(object);
    dedupeOwners(object, context);
    if (!owned) ownUpdated(core, kind, object, old, context);
    if (!face) object = await admitMutating(core, attributes());
    dedupeOwners(object, context, AFTER_ADMISSION);
  } else if (ownedThrough.has(context.subresource)) ownUpdated(core, kind, object, old, context);
  else keepOwners(object, old);
  if (face) object = await admitFace(core, face, attributes());
  const errors = errorsIn(context.version, prepare(kind, object, old, through, context));
  core.guard.checkGrant(context.user, kind, object, old);
  restrictNode(context.user, kind, object, old);
  if (errors.length > 0) throw invalidObject(kind, old.metadata.name, errors);
  const effects = through === 'main' ? core.hooks.onUpdate(kind, object, old, context.dryRun) : noSideEffects;
  let done: Entry | undefined;
  try {
    if (through !== 'raw' && !face) await admitValidating(core, attributes());
    if (isUnchanged(object, old)) {
      await confirmCurrent(core, current);
      return current;
    }
    return await withinQuota(core, attributes(), async (quotas) => {
      const { key, revision: expect } = current;
      if (context.dryRun) return new Entry(storedKind(kind), key, encodeStored(kind, object), expect);
      const also = [...effects.operations, ...quotas];
      done = isReadyToGo(object)
        ? await removeObject(core, kind, current, object, also)
        : await putObject(core, kind, { key, object, expect, also });
      return done;
    });
  } catch (error) {
    if (error instanceof ConditionFailed) return undefined;
    throw error;
  } finally {
    effects.settle(done?.revision);
  }
}

function prepare(
  kind: Kind,
  object: KubeObject,
  old: KubeObject,
  through: Change['through'],
  context: WriteContext,
): FieldError[] {
  const strategy = strategyFor(kind);
  delete object.metadata.selfLink;
  if (through === 'raw') {
    const { generation } = object.metadata; // such a change counts it itself
    carryOverMetadata(object, old);
    if (generation !== undefined) object.metadata.generation = generation;
    return [];
  }
  if (through === 'status') {
    strategy.prepareForStatusUpdate(object, old);
    strategy.applyDefaults(object);
    return strategy.validateStatusUpdate(object, old);
  }
  strategy.applyDefaults(object);
  strategy.prepareForUpdate(object, old);
  context.warnings.push(...strategy.warnings(object, old));
  return strategy.validateUpdate(object, old);
}

/** Subresources whose raw changes have an owner, as those of a binding have not. */
const ownedThrough: ReadonlySet<string | undefined> = new Set(['approval', 'ephemeralcontainers', 'finalize']);

function keepOwners(object: KubeObject, old: KubeObject): void {
  if (old.metadata.managedFields) object.metadata.managedFields = old.metadata.managedFields;
  else delete object.metadata.managedFields;
}

/** A PUT that names another incarnation is refused (feature 8-065). */
function sameObject(kind: Kind, object: KubeObject, old: KubeObject): void {
  const { uid } = object.metadata;
  if (uid && uid !== old.metadata.uid) {
    throw conflict(
      kind,
      old.metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid ?? ''}`,
    );
  }
}

/** Identical: no new resourceVersion (feature 8-066). */
function isUnchanged(object: KubeObject, old: KubeObject): boolean {
  const content = ({ metadata, ...rest }: KubeObject) => {
    const { resourceVersion: _resourceVersion, managedFields: _managedFields, ...meta } = metadata;
    return { ...rest, metadata: meta };
  };
  return semanticEqual(content(object), content(old)) && sameOwners(object, old);
}
