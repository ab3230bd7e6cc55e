/** For tests: a small type with one field of every sort, and an object that managers write one after the other. */
import { applyConfig } from './apply.ts';
import { readManagers, writeManagers, type ManagedFieldsEntry } from './managers.ts';
import {
  SCALAR,
  UNTYPED,
  type FieldSchema,
  type Json,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
} from './merge-schema.ts';
import { afterUpdate, type Writer } from './update.ts';

export function struct(fields: Readonly<Record<string, MergeSchema | FieldSchema>>, atomic = false): MapSchema {
  const entries = Object.entries(fields).map(([name, field]): [string, FieldSchema] => [
    name,
    'schema' in field ? field : { schema: field },
  ]);
  return { type: 'map', fields: new Map(entries), atomic };
}

export const mapOf = (item: MergeSchema, atomic = false): MapSchema => ({
  type: 'map',
  fields: new Map(),
  item,
  atomic,
});
export const listOf = (item: MergeSchema, list: ListSchema['list'], ...keys: string[]): ListSchema => ({
  type: 'list',
  item,
  list,
  keys,
});

const port = struct({
  name: SCALAR,
  port: SCALAR,
  protocol: { schema: SCALAR, default: 'TCP' },
  labels: mapOf(SCALAR),
});

export const WIDGET: MapSchema = struct({
  apiVersion: SCALAR,
  kind: SCALAR,
  metadata: {
    schema: struct({ name: SCALAR, labels: mapOf(SCALAR), finalizers: listOf(SCALAR, 'set') }),
    always: true,
  },
  spec: {
    schema: struct({
      size: SCALAR,
      ports: listOf(port, 'map', 'port', 'protocol'),
      args: listOf(SCALAR, 'atomic'),
      selector: mapOf(SCALAR, true),
      inner: struct({ a: SCALAR, b: SCALAR }),
      free: UNTYPED,
    }),
    always: true,
  },
});

export interface World {
  readonly object: Json | undefined;
  readonly entries: readonly ManagedFieldsEntry[] | undefined;
}

export const EMPTY_WORLD: World = { object: undefined, entries: undefined };

const writer = (name: string): Writer => ({ name, apiVersion: 'v1', subresource: '', part: 'all', time: '' });

export function applied(world: World, name: string, config: Json, force = false, schema: MergeSchema = WIDGET): World {
  const { object, managers } = applyConfig({
    schema,
    managers: readManagers(world.entries, true),
    live: world.object ?? {},
    config,
    applier: writer(name),
    force,
    decode: withoutNulls,
  });
  return { object, entries: writeManagers(managers) };
}

export function updated(world: World, name: string, object: Json, schema: MergeSchema = WIDGET): World {
  const managers = afterUpdate(schema, readManagers(world.entries, true), world.object, object, writer(name));
  return { object, entries: writeManagers(managers) };
}

/** `alice Apply {…}`, one line for each manager. */
export function ownersOf({ entries }: World): string[] {
  return (entries ?? []).map(
    ({ manager = '', operation = '', fieldsV1 }) => `${manager} ${operation} ${JSON.stringify(fieldsV1)}`,
  );
}

/** As decoding does. */
function withoutNulls(object: Json): Json {
  const kept = Object.entries(object).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(
    kept.map(([key, value]) => [
      key,
      typeof value === 'object' && !Array.isArray(value) ? withoutNulls(value as Json) : value,
    ]),
  );
}
