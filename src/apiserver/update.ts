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
import { MAX_TRIES, noSideEffects, type Core, type WriteContext } from './core.ts';
import { createObject } from './create.ts';
import { isReadyToGo, removeObject } from './delete.ts';
import { encodeStored, Entry } from './entry.ts';
import { keyOf, storedKind } from './keys.ts';
import { putObject, readStored } from './read.ts';

export interface Change {
  /** `raw` skips the strategy: for subresources that make exactly one allowed change (binding, finalize). */
  readonly through: 'main' | 'status' | 'raw';
  /** Makes the wanted object. `current` is a copy to change at will; undefined where the object does not exist and may be created. */
  apply(current: KubeObject | undefined): KubeObject;
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
  let current = core.cache.of(kind).get(key);
  let fresh = false;
  for (let attempt = 1; ; attempt++) {
    if (!current && !fresh) {
      current = await readStored(core, kind, key);
      fresh = true;
    }
    if (!current) return await createInstead(core, kind, namespace, name, change, context);
    const object = change.apply(current.copy());
    const wanted = object.metadata.resourceVersion;
    if (wanted && wanted !== String(current.revision)) {
      if (fresh) throw conflict(kind, name);
      current = await readStored(core, kind, key);
      fresh = true;
      continue;
    }
    try {
      const warnings = context.warnings.length;
      const entry = await tryUpdate(core, kind, current, object, change.through, context);
      if (entry) return { entry, created: false };
      context.warnings.length = warnings;
    } catch (error) {
      // What was checked may have been checked against a past state of the cache.
      if (!(error instanceof ApiError) || fresh) throw error;
    }
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
  if (change.through !== 'main' || !strategyFor(kind).allowCreateOnUpdate) throw notFound(kind, name);
  const object = change.apply(undefined);
  if (object.metadata.resourceVersion && object.metadata.resourceVersion !== '0') throw conflict(kind, name);
  delete object.metadata.resourceVersion;
  return { entry: await createObject(core, kind, namespace, object, context), created: true };
}

/** Undefined: somebody else was faster. */
async function tryUpdate(
  core: Core,
  kind: Kind,
  current: Entry,
  object: KubeObject,
  through: Change['through'],
  context: WriteContext,
): Promise<Entry | undefined> {
  const old = current.copy();
  sameObject(kind, object, old);
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
  const errors = errorsIn(context.version, prepare(kind, object, old, through, context));
  core.roleGuard.check(context.user, kind, object, old);
  restrictNode(context.user, kind, object, old);
  if (errors.length > 0) throw invalidObject(kind, old.metadata.name, errors);
  const effects = through === 'main' ? core.hooks.onUpdate(kind, object, old, context.dryRun) : noSideEffects;
  let done: Entry | undefined;
  try {
    if (isUnchanged(kind, current, object)) return current;
    if (context.dryRun) return new Entry(storedKind(kind), current.key, encodeStored(kind, object), current.revision);
    done = isReadyToGo(object)
      ? await removeObject(core, kind, current, object, effects.operations)
      : await putObject(core, kind, { key: current.key, object, expect: current.revision, also: effects.operations });
    return done;
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
  delete object.metadata.managedFields;
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
function isUnchanged(kind: Kind, current: Entry, object: KubeObject): boolean {
  const text = encodeStored(kind, object);
  return text === current.text || semanticEqual(JSON.parse(text), JSON.parse(current.text));
}
