/** What definitions of custom resources add to the OpenAPI documents: for `kubectl explain`, and for clients that check what they send. */
import { isRecord, type JsonSchema } from '../custom/schema.ts';
import { listKindOf, type Kind } from '../kinds.ts';
import { customDefinitionName } from './custom-name.ts';
import { pathsOf } from './paths.ts';
import { definitionsOf, OBJECT_META, LIST_META, type Json, type OpenApiVersion } from './schemas.ts';

/** Paths and definitions of these kinds, all of one version of OpenAPI; with the metadata they refer to. */
export function customParts(kinds: readonly Kind[], version: OpenApiVersion): { paths: Json; definitions: Json } {
  const own = kinds.flatMap((kind) => definitionsOfKind(kind, version));
  return {
    paths: pathsOf(kinds, version),
    definitions: { ...definitionsOf([OBJECT_META, LIST_META], version), ...Object.fromEntries(own) },
  };
}

function definitionsOfKind(kind: Kind, version: OpenApiVersion): [string, Json][] {
  const name = customDefinitionName(kind, kind.kind);
  const gvk = (text: string) => [{ group: kind.group, version: kind.version, kind: text }];
  const schema = published(kind.custom?.schema ?? {}, version);
  const object: Json = {
    ...schema,
    type: 'object',
    properties: { ...(schema['properties'] as Json | undefined), ...resourceFields(version, OBJECT_META) },
    'x-kubernetes-group-version-kind': gvk(kind.kind),
  };
  const items = { type: 'array', description: `The objects: ${kind.plural}.`, items: refer(name, version) };
  const list: Json = {
    description: `${listKindOf(kind)} is a list of ${kind.kind}`,
    type: 'object',
    required: ['items'],
    properties: { ...resourceFields(version, LIST_META), items },
    'x-kubernetes-group-version-kind': gvk(listKindOf(kind)),
  };
  return [
    [name, object],
    [customDefinitionName(kind, listKindOf(kind)), list],
  ];
}

const refer = (name: string, version: OpenApiVersion): Json => ({
  $ref: `${version === 'v2' ? '#/definitions/' : '#/components/schemas/'}${name}`,
});

/** What every resource has, whatever its schema says. */
function resourceFields(version: OpenApiVersion, meta: string): Json {
  const described = (description: string, rest: Json): Json => ({ description, ...rest });
  const metadata = refer(meta, version);
  return {
    apiVersion: described('The version of the schema that the object is written in.', { type: 'string' }),
    kind: described('What the object is, in CamelCase.', { type: 'string' }),
    metadata: described(
      'What every object has: its name, labels and so on.',
      version === 'v3' ? { allOf: [metadata] } : metadata,
    ),
  };
}

/** Version 2 knows fewer words; what it cannot say is left out, and clients then check less. */
const notInV2: readonly (keyof JsonSchema)[] = ['allOf', 'anyOf', 'oneOf', 'not', 'nullable', 'example'];

function published(schema: JsonSchema, version: OpenApiVersion): Json {
  const result: Json = { ...schema };
  if (version === 'v2') {
    for (const word of notInV2) Reflect.deleteProperty(result, word);
    // A value of several types has none there.
    if (schema['x-kubernetes-int-or-string'] || schema.nullable) delete result['type'];
  }
  const { properties, items, additionalProperties } = schema;
  if (properties) {
    const inner = Object.entries(properties).map(([name, each]): [string, Json] => [name, published(each, version)]);
    result['properties'] = Object.fromEntries(inner);
  }
  if (isRecord(items)) result['items'] = published(items, version);
  if (isRecord(additionalProperties)) result['additionalProperties'] = published(additionalProperties, version);
  if (schema['x-kubernetes-embedded-resource']) {
    result['properties'] = { ...(result['properties'] as Json | undefined), ...resourceFields(version, OBJECT_META) };
  }
  return result;
}
