/** The owners of fields after a create, an update or a patch: the writer owns what it changed, and nobody owns what is gone (8-071). */
import { deepEqual } from '../deep-equal.ts';
import { compare } from './compare.ts';
import { difference, EMPTY, isEmpty, sameSet, union, type FieldSet } from './field-set.ts';
import {
  capManagers,
  readManagers,
  sameManager,
  withFields,
  type ManagedFieldsEntry,
  type Manager,
} from './managers.ts';
import type { Json, MergeSchema } from './merge-schema.ts';
import { NEVER_OWNED, tracked, type Part } from './tracked.ts';

/** Who writes, and through what. */
export interface Writer {
  readonly name: string;
  readonly apiVersion: string;
  /** '' for the main resource. */
  readonly subresource: string;
  readonly part: Part;
  /** RFC 3339, to the second. */
  readonly time: string;
}

const MAX_UPDATERS = 10;

/**
 * @param before undefined: the object is new
 * @returns `managers` itself where the write changes nothing
 */
export function afterUpdate(
  schema: MergeSchema,
  managers: readonly Manager[],
  before: Json | undefined,
  after: Json,
  writer: Writer,
): readonly Manager[] {
  // A new object is compared with an empty one of its type, whose metadata is there.
  const old = before ? tracked(before, writer.part) : { metadata: {} };
  const { added, modified, removed } = compare(schema, old, tracked(after, writer.part));
  if (!added && !modified && !removed) return managers;
  const changed = union(added ?? EMPTY, modified ?? EMPTY);
  const key = { ...writer, operation: 'Update' } as const;
  let mine = EMPTY;
  let rest: Manager[] = [];
  for (const manager of managers) {
    if (sameManager(manager, key)) mine = union(mine, manager.fields);
    else rest.push(withFields(manager, without(manager.fields, changed, removed)));
  }
  rest = rest.filter(({ fields }) => !isEmpty(fields));
  const fields = difference(union(removed ? difference(mine, removed) : mine, changed), NEVER_OWNED);
  if (isEmpty(fields)) return rest;
  const { name, apiVersion, subresource, time } = writer;
  return capManagers([...rest, { name, operation: 'Update', apiVersion, subresource, time, fields }], MAX_UPDATERS);
}

function without(fields: FieldSet, ...taken: readonly (FieldSet | undefined)[]): FieldSet {
  return taken.reduce<FieldSet>((left, set) => (set ? difference(left, set) : left), fields);
}

/**
 * The owners to go on from: those of the written object where a client changes them, else those of the present one. `[{}]` forgets all;
 * what cannot be understood is passed over, as from a client that does not know the field.
 */
export function managersFor(
  given: readonly ManagedFieldsEntry[] | undefined,
  present: readonly ManagedFieldsEntry[] | undefined,
  part: Part,
): readonly Manager[] {
  const known = readManagers(present, true);
  // Most clients send back what they read: then there is nothing to check.
  if (part === 'status' || !given || given.length === 0 || deepEqual(given, present)) return known;
  if (given.length === 1 && Object.keys(given[0] ?? {}).length === 0) return [];
  try {
    const wanted = readManagers(given);
    if (wanted.every(({ fields }) => isEmpty(fields))) return known;
    return sameManagers(wanted, known) ? known : wanted;
  } catch {
    return known;
  }
}

/** The same owners of the same fields, whenever they wrote. */
export function sameManagers(a: readonly Manager[], b: readonly Manager[]): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every((manager) => {
        const other = b.find((each) => sameManager(each, manager));
        return other?.apiVersion === manager.apiVersion && sameSet(other.fields, manager.fields);
      }))
  );
}
