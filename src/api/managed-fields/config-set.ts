/** The fields an applied configuration speaks of: what its applier will own. Unlike `presentSet` it does not count the structs on the way. */
import { EMPTY, LEAF, node, union, type FieldSet } from './field-set.ts';
import { identify } from './list-items.ts';
import {
  isRecord,
  shapeOf,
  UNTYPED,
  type Json,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
} from './merge-schema.ts';
import { fieldElement, formatPath } from './path-element.ts';

/** What keeps a configuration from being applied: `.spec.foo: field not declared in schema`. */
export class ConfigProblem extends Error {
  constructor(path: readonly string[], problem: string) {
    super(path.length === 0 ? problem : `${formatPath(path)}: ${problem}`);
  }
}

/** @throws ConfigProblem for the first field that does not fit the schema */
export function configSet(schema: MergeSchema, value: unknown, path: readonly string[] = []): FieldSet {
  const shape = shapeOf(schema, value);
  if (shape.type === 'scalar') {
    if (typeof value === 'object' && value !== null)
      throw new ConfigProblem(path, `expected scalar, got ${nameOf(value)}`);
    return LEAF;
  }
  if (value === null || value === undefined) return isAtomic(shape) ? LEAF : EMPTY;
  if (shape.type === 'map') {
    if (!isRecord(value)) throw new ConfigProblem(path, `expected map, got ${nameOf(value)}`);
    const set = mapSet(shape, value, path);
    return shape.atomic ? LEAF : set;
  }
  if (!Array.isArray(value)) throw new ConfigProblem(path, `expected list, got ${nameOf(value)}`);
  return listSet(shape, value, path);
}

const isAtomic = (shape: MapSchema | ListSchema): boolean =>
  shape.type === 'map' ? shape.atomic : shape.list === 'atomic';

function mapSet(schema: MapSchema, map: Json, path: readonly string[]): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, value] of Object.entries(map)) {
    const element = fieldElement(key);
    const field = schema.fields.get(key);
    const inner = field?.schema ?? schema.item;
    if (!inner) throw new ConfigProblem([...path, element], 'field not declared in schema');
    const below = configSet(inner, value, [...path, element]);
    const hollow = value === null || (isRecord(value) && Object.keys(value).length === 0);
    const set = hollow || !field ? union(below, LEAF) : below;
    if (set !== EMPTY) children.set(element, set);
  }
  return node(false, children);
}

function listSet(schema: ListSchema, list: unknown[], path: readonly string[]): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [index, item] of list.entries()) {
    if (schema.list === 'atomic') {
      configSet(schema.item, item, [...path, `i:${index}`]);
      continue;
    }
    const identified = identify(schema, item);
    if ('problem' in identified) throw new ConfigProblem(path, `element ${index}: ${identified.problem}`);
    const { element } = identified;
    if (children.has(element)) throw new ConfigProblem(path, `duplicate entries for key ${formatPath([element])}`);
    children.set(element, union(configSet(schema.item, item, [...path, element]), LEAF));
  }
  return schema.list === 'atomic' ? LEAF : node(false, children);
}

/**
 * The set with the structs on the way as members: to take out a struct when everything in it goes. Items of maps (labels) are members anyhow.
 */
export function withStructs(schema: MergeSchema, set: FieldSet): FieldSet {
  if (set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const field = name !== undefined && schema.type === 'map' ? schema.fields.get(name) : undefined;
    const below = withStructs(schemaBelow(schema, name), child);
    children.set(element, field ? union(below, LEAF) : below);
  }
  return node(set.self, children);
}

function schemaBelow(schema: MergeSchema, name: string | undefined): MergeSchema {
  if (schema.type === 'list') return schema.item;
  if (schema.type !== 'map' || name === undefined) return UNTYPED;
  return schema.fields.get(name)?.schema ?? schema.item ?? UNTYPED;
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' ? 'map' : typeof value;
}
