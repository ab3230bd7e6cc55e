/** From parsed JSON to a custom resource: its metadata by type, everything else by the schema (features 8-015, 8-090). */
import { badRequest } from '../api-error.ts';
import { checkKind, decodeMetadata, goName, type Decoded } from '../decode.ts';
import { apiVersionOf, type Kind } from '../kinds.ts';
import type { KubeObject } from '../types.ts';
import { prune } from './prune.ts';
import { isRecord, itemOf, propertyOf, under, type JsonSchema } from './schema.ts';

/** `kept` says which fields stay. Throws ApiError 400 for no object, one of another kind, or metadata of the wrong type. */
export function decodeCustomResource(
  kind: Kind,
  { schema, kept }: { schema: JsonSchema; kept: JsonSchema },
  raw: unknown,
  duplicateFields: readonly string[] = [],
): Decoded {
  const apiVersion = apiVersionOf(kind);
  if (!isRecord(raw)) {
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goName(raw)} into Go value of type map[string]interface {}`,
    );
  }
  if (raw['kind'] === undefined || raw['kind'] === '') {
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(raw)}'`);
  }
  checkKind(kind, apiVersion, raw);
  const dropped: string[] = [];
  const pruned = prune(raw, kept, dropped) as Record<string, unknown>;
  const unknownFields = dropped.map((path) => `unknown field ${JSON.stringify(path)}`);
  const root = decodeMetadata(kind, raw['metadata'] ?? {}, 'metadata');
  unknownFields.push(...root.unknownFields);
  const object = { kind: kind.kind, apiVersion, ...pruned, metadata: root.metadata } as unknown as KubeObject;
  for (const [key, value] of Object.entries(pruned)) {
    const inner = propertyOf(schema, key);
    if (inner && key !== 'metadata') decodeEmbedded(kind, value, inner, key, unknownFields);
  }
  return { object, unknownFields, duplicateFields: [...duplicateFields] };
}

/** Puts checked metadata into the resources embedded in `value`. */
function decodeEmbedded(kind: Kind, value: unknown, schema: JsonSchema, path: string, unknownFields: string[]): void {
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    if (!item) return;
    for (const [index, each] of value.entries()) {
      decodeEmbedded(kind, each, item, `${path}[${String(index)}]`, unknownFields);
    }
    return;
  }
  if (!isRecord(value)) return;
  if (schema['x-kubernetes-embedded-resource'] === true && isRecord(value['metadata'])) {
    const decoded = decodeMetadata(kind, value['metadata'], under(path, 'metadata'));
    value['metadata'] = decoded.metadata;
    unknownFields.push(...decoded.unknownFields);
  }
  for (const [key, field] of Object.entries(value)) {
    const inner = propertyOf(schema, key);
    if (inner) decodeEmbedded(kind, field, inner, under(path, key), unknownFields);
  }
}
