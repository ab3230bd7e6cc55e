/** Schema objects of both OpenAPI versions, made from the type graph. */
import { isAtomicMap, isAtomicType, listMergeOf, type ListMerge } from '../merge-keys.ts';
import { loadDescriptions, loadSchemas, structOf } from '../schema/load.ts';
import type { TypeText } from '../schema/types.ts';

export type Json = Record<string, unknown>;
export type OpenApiVersion = 'v2' | 'v3';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const OBJECT_META = `${meta}.ObjectMeta`;
export const LIST_META = `${meta}.ListMeta`;

/** What may be of several types has a name and none of them, as in Kubernetes: kubectl explains no field without any schema. */
const json = { description: 'Any JSON value.' };
const alternatives = {
  description: 'The schema that is named, or something simpler in its place: a boolean or a list.',
};
const alternativeOf = (type: TypeText): string => `${type.slice(2)}OrOther`;

/** The plain types that Kubernetes gives a name of their own. */
const named: Readonly<Record<string, { name: string; v2: Json; v3: Json }>> = {
  json: { name: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON', v2: json, v3: json },
  time: {
    name: `${meta}.Time`,
    v2: { description: 'A moment, in RFC 3339 to the second.', type: 'string', format: 'date-time' },
    v3: { description: 'A moment, in RFC 3339 to the second.', type: 'string', format: 'date-time' },
  },
  microtime: {
    name: `${meta}.MicroTime`,
    v2: { description: 'A moment, in RFC 3339 to the microsecond.', type: 'string', format: 'date-time' },
    v3: { description: 'A moment, in RFC 3339 to the microsecond.', type: 'string', format: 'date-time' },
  },
  intOrString: {
    name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    v2: { description: 'A number or a name.', type: 'string', format: 'int-or-string' },
    v3: {
      description: 'A number or a name.',
      format: 'int-or-string',
      oneOf: [{ type: 'integer' }, { type: 'string' }],
    },
  },
  quantity: {
    name: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    v2: { description: 'An amount with a suffix: 500m, 128Mi.', type: 'string' },
    v3: { description: 'An amount with a suffix: 500m, 128Mi.', oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
};

const plain: Readonly<Record<string, Json>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  byte: { type: 'string', format: 'byte' },
  any: { type: 'object' },
};

const prefixes = { v2: '#/definitions/', v3: '#/components/schemas/' };

const reference = (name: string, version: OpenApiVersion): Json => ({ $ref: `${prefixes[version]}${name}` });

function schemaOfType(type: TypeText, version: OpenApiVersion, merge?: ListMerge): Json {
  if (type.startsWith('[]')) {
    return { type: 'array', items: schemaOfType(type.slice(2), version), ...listExtensions(merge) };
  }
  if (type.startsWith('{}')) return { type: 'object', additionalProperties: schemaOfType(type.slice(2), version) };
  if (type.startsWith('#')) return reference(type.slice(1), version);
  if (type.startsWith('?#')) return reference(alternativeOf(type), version);
  const known = named[type];
  return known ? reference(known.name, version) : { ...plain[type] };
}

function listExtensions(merge: ListMerge | undefined): Json {
  return {
    'x-kubernetes-list-type': merge?.listType ?? 'atomic',
    ...(merge?.mapKeys && { 'x-kubernetes-list-map-keys': [...merge.mapKeys] }),
  };
}

/** @param groupVersionKinds the kinds whose definition this is: none for a struct inside others */
export function definitionSchema(
  definition: string,
  version: OpenApiVersion,
  groupVersionKinds: readonly Json[],
): Json {
  const { fields, required } = structOf(definition);
  const texts = loadDescriptions()[definition] ?? {};
  const properties: Json = {};
  for (const [field, type] of Object.entries(fields)) {
    properties[field] = propertySchema(definition, field, type, texts[field], version);
  }
  return {
    ...(texts[''] && { description: texts[''] }),
    type: 'object',
    ...(required.length > 0 && { required: [...required] }),
    properties,
    ...(isAtomicType(definition) && { 'x-kubernetes-map-type': 'atomic' }),
    ...(groupVersionKinds.length > 0 && { 'x-kubernetes-group-version-kind': groupVersionKinds }),
  };
}

function propertySchema(
  definition: string,
  field: string,
  type: TypeText,
  description: string | undefined,
  version: OpenApiVersion,
): Json {
  const merge = listMergeOf(definition, field);
  const schema = schemaOfType(type, version, merge);
  // Version 3 forbids anything beside $ref, so the reference is wrapped.
  const body = version === 'v3' && schema['$ref'] !== undefined ? { allOf: [schema] } : schema;
  return {
    ...(description && { description }),
    ...body,
    ...(isAtomicMap(definition, field) && { 'x-kubernetes-map-type': 'atomic' }),
    ...(merge?.mergeKey && { 'x-kubernetes-patch-merge-key': merge.mergeKey }),
    ...(merge?.strategy && { 'x-kubernetes-patch-strategy': merge.strategy }),
  };
}

/** All definitions that `roots` lead to, roots included, sorted by name. */
export function definitionsOf(roots: readonly string[], version: OpenApiVersion): Json {
  const reached = new Set<string>();
  const plainNames = new Set<string>();
  const others = new Set<string>();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    for (const type of Object.values(structOf(name).fields)) {
      const item = type.replace(/^(\[\]|\{\})+/, '');
      if (item.startsWith('#')) pending.push(item.slice(1));
      else if (item.startsWith('?#')) {
        pending.push(item.slice(2));
        others.add(alternativeOf(item));
      } else if (named[item]) plainNames.add(item);
    }
  }
  const kinds = kindsByDefinition();
  const entries: [string, Json][] = [...reached].map((name) => [
    name,
    definitionSchema(name, version, kinds.get(name) ?? []),
  ]);
  for (const name of others) entries.push([name, alternatives]);
  for (const item of plainNames) {
    const known = named[item];
    if (known) entries.push([known.name, known[version]]);
  }
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function kindsByDefinition(): Map<string, Json[]> {
  const found = new Map<string, Json[]>();
  for (const [key, definition] of Object.entries(loadSchemas().kinds)) {
    found.set(definition, [...(found.get(definition) ?? []), groupVersionKind(key)]);
  }
  return found;
}

/** `apps/v1/Deployment` -> its three parts. */
export function groupVersionKind(key: string): { group: string; version: string; kind: string } {
  const parts = key.split('/');
  const [kind = '', version = '', group = ''] = parts.reverse();
  return { group, version, kind };
}
