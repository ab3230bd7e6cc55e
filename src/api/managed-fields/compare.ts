/** What differs between two objects, as field sets: the fields a writer added, changed and removed, and so owns or no longer owns. */
import { deepEqual } from '../deep-equal.ts';
import { isEmpty, LEAF, node, type FieldSet } from './field-set.ts';
import { indexItems } from './list-items.ts';
import {
  childSchema,
  isRecord,
  own,
  shapeOf,
  type Json,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
  UNTYPED,
} from './merge-schema.ts';
import { fieldElement } from './path-element.ts';

export interface Comparison {
  readonly added?: FieldSet;
  readonly modified?: FieldSet;
  readonly removed?: FieldSet;
}

const SAME: Comparison = {};
const MODIFIED: Comparison = { modified: LEAF };

/** Undefined is absent; null is a value. A field that is added or removed counts with everything below it. */
export function compare(schema: MergeSchema, before: unknown, after: unknown): Comparison {
  if (before === after) return SAME;
  if (before === undefined) return { added: presentSet(schema, after) };
  if (after === undefined) return { removed: presentSet(schema, before) };
  const shape = shapeOf(schema, after);
  if (shape.type === 'map' && !shape.atomic && isMapOrNull(before) && isMapOrNull(after)) {
    if (!isHollow(before) || !isHollow(after)) return compareMaps(shape, before ?? {}, after ?? {});
  } else if (shape.type === 'list' && shape.list !== 'atomic' && isListOrNull(before) && isListOrNull(after)) {
    if (!isHollow(before) || !isHollow(after)) return compareLists(shape, before ?? [], after ?? []);
  }
  if (deepEqual(before, after)) return SAME;
  return schema.type === 'untyped' ? replaced(before, after) : MODIFIED;
}

/** A free-form value that is of another sort now: what was in it has gone, what is in it has come. */
function replaced(before: unknown, after: unknown): Comparison {
  const removed = node(false, presentSet(UNTYPED, before).children);
  const added = node(false, presentSet(UNTYPED, after).children);
  return { modified: LEAF, ...(!isEmpty(added) && { added }), ...(!isEmpty(removed) && { removed }) };
}

const isMapOrNull = (value: unknown): value is Json | null => value === null || isRecord(value);
const isListOrNull = (value: unknown): value is unknown[] | null => value === null || Array.isArray(value);

/** Two empty values are compared as they are, so that null and {} stay different. */
function isHollow(value: Json | unknown[] | null): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  for (const key in value) if (value[key] !== undefined) return false;
  return true;
}

/** Every field of a value that was not there before, or is not there any more. */
export function presentSet(schema: MergeSchema, value: unknown): FieldSet {
  const shape = shapeOf(schema, value);
  if (shape.type === 'map' && !shape.atomic && isRecord(value)) {
    const children = new Map<string, FieldSet>();
    for (const key of Object.keys(value)) {
      if (value[key] !== undefined) children.set(fieldElement(key), presentSet(childSchema(shape, key), value[key]));
    }
    return node(true, children);
  }
  if (shape.type === 'list' && shape.list !== 'atomic' && Array.isArray(value)) {
    const children = new Map<string, FieldSet>();
    for (const [element, items] of indexItems(shape, value)) {
      children.set(element, items.length > 1 ? LEAF : presentSet(shape.item, items[0]));
    }
    return node(true, children);
  }
  return LEAF;
}

function compareMaps(schema: MapSchema, before: Json, after: Json): Comparison {
  const collect = new Collector();
  for (const key of Object.keys(after)) {
    const [old, now] = [own(before, key), after[key]];
    if (now === undefined || old === now) continue;
    const field = schema.fields.get(key);
    const always = old === undefined && field?.always ? null : old;
    collect.add(fieldElement(key), compare(field?.schema ?? childSchema(schema, key), always, now));
  }
  for (const key of Object.keys(before)) {
    if (before[key] === undefined || own(after, key) !== undefined) continue;
    const field = schema.fields.get(key);
    const always = field?.always ? null : undefined;
    collect.add(fieldElement(key), compare(field?.schema ?? childSchema(schema, key), before[key], always));
  }
  return collect.result();
}

function compareLists(schema: ListSchema, before: unknown[], after: unknown[]): Comparison {
  const collect = new Collector();
  const [old, now] = [indexItems(schema, before), indexItems(schema, after)];
  for (const [element, items] of now) collect.add(element, compareItems(schema, old.get(element), items));
  for (const [element, items] of old) {
    if (!now.has(element)) collect.add(element, compareItems(schema, items, undefined));
  }
  return collect.result();
}

/** Items that cannot be told apart (two variables of one name) are compared and owned as a whole. */
function compareItems(schema: ListSchema, old: unknown[] | undefined, now: unknown[] | undefined): Comparison {
  if ((old?.length ?? 0) <= 1 && (now?.length ?? 0) <= 1) return compare(schema.item, old?.[0], now?.[0]);
  if (!old) return { added: LEAF };
  if (!now) return { removed: LEAF };
  return deepEqual(old, now) ? SAME : MODIFIED;
}

class Collector {
  #added: Map<string, FieldSet> | undefined;
  #modified: Map<string, FieldSet> | undefined;
  #removed: Map<string, FieldSet> | undefined;

  add(element: string, { added, modified, removed }: Comparison): void {
    if (added) (this.#added ??= new Map()).set(element, added);
    if (modified) (this.#modified ??= new Map()).set(element, modified);
    if (removed) (this.#removed ??= new Map()).set(element, removed);
  }

  result(): Comparison {
    if (!this.#added && !this.#modified && !this.#removed) return SAME;
    return {
      ...(this.#added && { added: node(false, this.#added) }),
      ...(this.#modified && { modified: node(false, this.#modified) }),
      ...(this.#removed && { removed: node(false, this.#removed) }),
    };
  }
}
