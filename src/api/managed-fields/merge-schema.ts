/**
 * What server-side apply must know of a type: which maps and lists are owned in parts and which as a whole, and what tells the items of a list
 * apart. A value that is handed in: built from the generated schemas for the kinds of Kubernetes (`kind-schema.ts`), and from the OpenAPI
 * schema of a definition for custom resources.
 */
export type MergeSchema = ScalarSchema | MapSchema | ListSchema | UntypedSchema;

export interface ScalarSchema {
  readonly type: 'scalar';
}

/** A struct (`fields`), a map from any text to one type (`item`), or both. */
export interface MapSchema {
  readonly type: 'map';
  readonly fields: ReadonlyMap<string, FieldSchema>;
  /** Of keys that are not among `fields`; where it is absent, there may be none. */
  readonly item?: MergeSchema;
  /** Owned as one value (x-kubernetes-map-type: atomic). */
  readonly atomic: boolean;
}

export interface FieldSchema {
  readonly schema: MergeSchema;
  /** What an absent one counts as where it is the key of a list: a port's protocol is TCP. */
  readonly default?: unknown;
  /**
   * The types of Kubernetes always write this field, empty if need be: it is never added or removed as such, and nobody owns it. False for
   * custom resources.
   */
  readonly always?: boolean;
}

export interface ListSchema {
  readonly type: 'list';
  readonly item: MergeSchema;
  /** x-kubernetes-list-type */
  readonly list: 'atomic' | 'set' | 'map';
  /** x-kubernetes-list-map-keys, sorted; empty unless `map`. */
  readonly keys: readonly string[];
}

/** Free-form: objects are owned by their fields, lists as a whole (x-kubernetes-preserve-unknown-fields). */
export interface UntypedSchema {
  readonly type: 'untyped';
}

export const SCALAR: ScalarSchema = { type: 'scalar' };
export const UNTYPED: UntypedSchema = { type: 'untyped' };
const untypedMap: MapSchema = { type: 'map', fields: new Map(), item: UNTYPED, atomic: false };
const untypedList: ListSchema = { type: 'list', item: UNTYPED, list: 'atomic', keys: [] };

export type Json = Record<string, unknown>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A field named like something every object inherits (`constructor`) is absent all the same. */
export const own = (record: Json, field: string): unknown => (Object.hasOwn(record, field) ? record[field] : undefined);

/** The schema of a value where the type leaves it open. */
export function shapeOf(schema: MergeSchema, value: unknown): Exclude<MergeSchema, UntypedSchema> {
  if (schema.type !== 'untyped') return schema;
  if (Array.isArray(value)) return untypedList;
  return isRecord(value) ? untypedMap : SCALAR;
}

export function childSchema(schema: MapSchema, field: string): MergeSchema {
  return schema.fields.get(field)?.schema ?? schema.item ?? UNTYPED;
}
