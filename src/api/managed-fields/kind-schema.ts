/** The merge schema of the kinds of Kubernetes, from the generated types and the facts of `merge-keys.ts`; each definition is made once. */
import { apiVersionOf, type Kind } from '../kinds.ts';
import type { KindName } from '../decode.ts';
import { isAlwaysWritten, isAtomicMap, isAtomicType, keyDefault, listMergeOf } from '../merge-keys.ts';
import { definitionOf, structOf } from '../schema/load.ts';
import type { TypeText } from '../schema/types.ts';
import { SCALAR, UNTYPED, type FieldSchema, type MapSchema, type MergeSchema } from './merge-schema.ts';

const made = new Map<string, MapSchema>();

/** Undefined for a kind the generated types do not know. */
export function kindSchema(kind: KindName): MergeSchema | undefined {
  const definition = definitionOf(apiVersionOf(kind as Kind), kind.kind);
  return definition === undefined ? undefined : structSchema(definition);
}

/** Of the metadata of any object. */
export const objectMetaSchema = (): MapSchema => structSchema('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

function structSchema(definition: string): MapSchema {
  const known = made.get(definition);
  if (known) return known;
  const fields = new Map<string, FieldSchema>();
  const schema: MapSchema = { type: 'map', fields, atomic: isAtomicType(definition) };
  // Before its fields, as a type may contain itself.
  made.set(definition, schema);
  const { fields: types, required } = structOf(definition);
  for (const [field, type] of Object.entries(types)) {
    const standard = keyDefault(definition, field);
    const composite = /^(\[\]|\{\}|#)/.test(type);
    const always = composite && (required.includes(field) || isAlwaysWritten(definition, field));
    fields.set(field, {
      schema: fieldSchema(definition, field, type),
      ...(standard !== undefined && { default: standard }),
      ...(always && { always }),
    });
  }
  return schema;
}

function fieldSchema(definition: string, field: string, type: TypeText): MergeSchema {
  if (type.startsWith('[]')) {
    const { listType = 'atomic', mapKeys = [] } = listMergeOf(definition, field) ?? {};
    return { type: 'list', item: typeSchema(type.slice(2)), list: listType, keys: [...mapKeys].sort() };
  }
  if (type.startsWith('{}')) {
    return { type: 'map', fields: new Map(), item: typeSchema(type.slice(2)), atomic: isAtomicMap(definition, field) };
  }
  if (type.startsWith('#') && isAtomicMap(definition, field)) return { ...structSchema(type.slice(1)), atomic: true };
  return typeSchema(type);
}

function typeSchema(type: TypeText): MergeSchema {
  if (type.startsWith('[]')) return { type: 'list', item: typeSchema(type.slice(2)), list: 'atomic', keys: [] };
  if (type.startsWith('{}')) return { type: 'map', fields: new Map(), item: typeSchema(type.slice(2)), atomic: false };
  if (type.startsWith('#')) return structSchema(type.slice(1));
  // What may be of several types is told apart by what it is.
  return type === 'any' || type === 'json' || type.startsWith('?#') ? UNTYPED : SCALAR;
}
