/**
 * Server-side apply (feature 8-070, KEP-555): a configuration merged into the present object. The applier owns what its configuration speaks
 * of, loses what it does not any more, and is refused where it would change what others own, unless forced.
 */
import { compare } from './compare.ts';
import { ConfigProblem, configSet, withStructs } from './config-set.ts';
import { applyConflict, type Conflict } from './conflict.ts';
import { covers, difference, EMPTY, intersection, isEmpty, union, type FieldSet } from './field-set.ts';
import { allowedByLastApplied, updateLastApplied } from './last-applied.ts';
import { sameManager, withFields, type Manager } from './managers.ts';
import { mergeConfig, withoutFields } from './merge.ts';
import type { Json, MergeSchema } from './merge-schema.ts';
import { NEVER_OWNED, tracked } from './tracked.ts';
import type { Writer } from './update.ts';

export interface Application {
  readonly schema: MergeSchema;
  /** The owners so far. */
  readonly managers: readonly Manager[];
  /** The present object; empty where apply creates it. */
  readonly live: Json;
  readonly config: Json;
  readonly applier: Writer;
  readonly force: boolean;
  /** Makes a proper object of what was merged: types checked, nulls gone. */
  decode(merged: Json): Json;
}

export interface Applied {
  readonly object: Json;
  readonly managers: readonly Manager[];
}

/**
 * Pure: none of the inputs is changed.
 * @throws ConfigProblem where the configuration does not fit the schema, ApiError 409 for conflicts
 */
export function applyConfig(application: Application): Applied {
  const { schema, managers, live, config, applier, decode } = application;
  // All of it must fit the schema, also what is not owned through this endpoint.
  const spoken = configSet(schema, config);
  const own = difference(configSet(schema, tracked(config, applier.part)), NEVER_OWNED);
  const key = { ...applier, operation: 'Apply' } as const;
  const last = managers.find((manager) => sameManager(manager, key))?.fields ?? EMPTY;
  const others = managers.filter((manager) => !sameManager(manager, key));
  const merged = mergeConfig(schema, live, config) as Json;
  const claimed = others.reduce((all, { fields }) => union(all, fields), spoken);
  const object = decode(prune(schema, merged, last, claimed));
  const { added, modified, removed } = compare(schema, tracked(live, applier.part), tracked(object, applier.part));
  const changed = union(added ?? EMPTY, modified ?? EMPTY);
  const conflicts = conflictsOf(others, changed);
  if (conflicts.length > 0 && !application.force) refuse(application, conflicts);
  const left = others
    .map((manager) => withFields(manager, without(manager.fields, changed, removed)))
    .filter(({ fields }) => !isEmpty(fields));
  const { name, apiVersion, subresource, time } = applier;
  const mine: Manager = { name, operation: 'Apply', apiVersion, subresource, time, fields: own };
  return {
    object: updateLastApplied(object, config, applier),
    managers: isEmpty(own) ? left : [...left, mine],
  };
}

const without = (fields: FieldSet, changed: FieldSet, removed: FieldSet | undefined): FieldSet =>
  removed ? difference(difference(fields, changed), removed) : difference(fields, changed);

/**
 * Takes out what this applier applied last time and nobody claims now: an item of a list or a map goes with all that is in it, a struct when
 * nothing in it is claimed. What was never applied by it stays.
 */
function prune(schema: MergeSchema, merged: Json, last: FieldSet, claimed: FieldSet): Json {
  if (covers(claimed, last)) return merged;
  const gone = difference(withStructs(schema, last), withStructs(schema, claimed));
  return (withoutFields(schema, merged, gone) ?? {}) as Json;
}

function conflictsOf(others: readonly Manager[], changed: FieldSet): Conflict[] {
  return others
    .map((manager) => ({ manager, fields: intersection(manager.fields, changed) }))
    .filter(({ fields }) => !isEmpty(fields));
}

/** Throws, unless all that is in the way is what kubectl itself applied on the client's side before. */
function refuse({ schema, live, applier }: Application, conflicts: readonly Conflict[]): void {
  const allowed = allowedByLastApplied(schema, live, applier);
  const left = conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
  if (left.length > 0) throw applyConflict(left);
}

export { ConfigProblem };
