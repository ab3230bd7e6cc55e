/** What server-side apply must know of a custom resource, from the schema of its definition (features 8-070). */
import { objectMetaSchema } from '../managed-fields/kind-schema.ts';
import {
  SCALAR,
  UNTYPED,
  type FieldSchema,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
} from '../managed-fields/merge-schema.ts';
import { isRecord, itemOf, type JsonSchema } from './schema.ts';

/** apiVersion, kind and metadata are those of every object, whatever the schema says of them. */
export function mergeSchemaOfResource(schema: JsonSchema): MapSchema {
  return mapSchema({ ...schema, 'x-kubernetes-embedded-resource': true });
}

function mergeSchema(schema: JsonSchema): MergeSchema {
  if (schema['x-kubernetes-int-or-string'] === true) return SCALAR;
  if (schema.type === 'object') return mapSchema(schema);
  if (schema.type === 'array') return listSchema(schema);
  return schema.type ? SCALAR : UNTYPED;
}

function mapSchema(schema: JsonSchema): MapSchema {
  const properties = Object.entries(schema.properties ?? {}).filter(([, each]) => isRecord(each));
  const fields = new Map(properties.map(([name, each]): [string, FieldSchema] => [name, fieldSchema(each)]));
  if (schema['x-kubernetes-embedded-resource'] === true) {
    fields.set('apiVersion', { schema: SCALAR }).set('kind', { schema: SCALAR });
    fields.set('metadata', { schema: objectMetaSchema() });
  }
  const item = itemOfMap(schema);
  return { type: 'map', fields, ...(item && { item }), atomic: schema['x-kubernetes-map-type'] === 'atomic' };
}

function fieldSchema(schema: JsonSchema): FieldSchema {
  return { schema: mergeSchema(schema), ...(schema.default !== undefined && { default: schema.default }) };
}

function itemOfMap(schema: JsonSchema): MergeSchema | undefined {
  const { additionalProperties } = schema;
  if (isRecord(additionalProperties)) return mergeSchema(additionalProperties);
  return additionalProperties === true || schema['x-kubernetes-preserve-unknown-fields'] === true ? UNTYPED : undefined;
}

function listSchema(schema: JsonSchema): ListSchema {
  const item = itemOf(schema);
  const list = schema['x-kubernetes-list-type'];
  return {
    type: 'list',
    item: item ? mergeSchema(item) : UNTYPED,
    list: list === 'map' || list === 'set' ? list : 'atomic',
    keys: list === 'map' ? [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort() : [],
  };
}
