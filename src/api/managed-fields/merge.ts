/** An applied configuration merged into the present object, and fields taken out of an object (feature 8-070). Pure: results are new. */
import { EMPTY, type FieldSet } from './field-set.ts';
import { identify, indexItems } from './list-items.ts';
import {
  childSchema,
  isRecord,
  own,
  shapeOf,
  type Json,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
} from './merge-schema.ts';
import { fieldElement } from './path-element.ts';

/** Where both speak of a field, `config` wins; null in it removes what it names. Fields that only `live` has stay. */
export function mergeConfig(schema: MergeSchema, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  const shape = shapeOf(schema, config);
  if (shape.type === 'map' && !shape.atomic && isRecord(config) && isRecord(live))
    return mergeMaps(shape, live, config);
  if (shape.type === 'list' && shape.list !== 'atomic' && Array.isArray(config) && Array.isArray(live)) {
    return mergeLists(shape, live, config);
  }
  return config;
}

function mergeMaps(schema: MapSchema, live: Json, config: Json): Json {
  const merged = new Map(Object.entries(live));
  for (const [key, value] of Object.entries(config)) {
    merged.set(key, mergeConfig(childSchema(schema, key), own(live, key), value));
  }
  // fromEntries makes own properties, so a key like `__proto__` stays data.
  return Object.fromEntries(merged);
}

/** Items of the configuration keep its order among themselves; an item only the server has stays behind the one it followed. */
function mergeLists(schema: ListSchema, live: unknown[], config: unknown[]): unknown[] {
  const present = indexItems(schema, live);
  const elements = config.map((item) => elementOf(schema, item));
  const places = new Map(elements.map((element, index) => [element, index]));
  const merged: unknown[] = [];
  let next = 0;
  const take = (index: number): void => {
    const same = present.get(elements[index] ?? '') ?? [];
    merged.push(same.length === 1 ? mergeConfig(schema.item, same[0], config[index]) : config[index]);
  };
  for (const item of live) {
    const place = places.get(elementOf(schema, item));
    if (place === undefined) merged.push(item);
    else while (next <= place) take(next++);
  }
  while (next < config.length) take(next++);
  return merged;
}

function elementOf(schema: ListSchema, item: unknown): string {
  const identified = identify(schema, item);
  return 'element' in identified ? identified.element : '';
}

/** `value` without the fields of `set`: members go with all that is below them. Undefined where nothing is left. */
export function withoutFields(schema: MergeSchema, value: unknown, set: FieldSet): unknown {
  const shape = shapeOf(schema, value);
  if (shape.type === 'map' && isRecord(value)) {
    if (shape.atomic) return undefined;
    const kept: [string, unknown][] = [];
    for (const [key, each] of Object.entries(value)) {
      const below = set.children.get(fieldElement(key)) ?? EMPTY;
      if (below.self) continue;
      const rest = below === EMPTY ? each : withoutFields(childSchema(shape, key), each, below);
      if (rest !== undefined) kept.push([key, rest]);
    }
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  }
  if (shape.type === 'list' && Array.isArray(value)) {
    if (shape.list === 'atomic') return undefined;
    const kept: unknown[] = [];
    for (const item of value) {
      const below = set.children.get(elementOf(shape, item)) ?? EMPTY;
      if (below.self) continue;
      const rest: unknown = below === EMPTY ? item : withoutFields(shape.item, item, below);
      if (rest !== undefined) kept.push(rest);
    }
    return kept.length === 0 ? undefined : kept;
  }
  return value;
}
