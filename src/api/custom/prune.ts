/**
 * Pruning: what a structural schema does not specify is not kept. Where `x-kubernetes-preserve-unknown-fields` is set, unknown fields
 * stay, and the known ones under it are pruned all the same.
 */
import { isRecord, itemOf, propertyOf, under, type JsonSchema } from './schema.ts';

const resourceFields: readonly string[] = ['apiVersion', 'kind', 'metadata'];

/**
 * A new value without the unspecified fields; the input stays as it is. The three fields every resource has are kept at the root
 * and in embedded resources.
 * @param dropped takes the paths of what was not kept, in the order met
 */
export function prune(value: unknown, schema: JsonSchema, dropped: string[] = []): unknown {
  return pruneAt(value, schema, '', true, dropped);
}

function pruneAt(
  value: unknown,
  schema: JsonSchema | undefined,
  path: string,
  isResource: boolean,
  dropped: string[],
): unknown {
  if (Array.isArray(value)) {
    const item = schema && itemOf(schema);
    if (schema && !item && keepsUnknown(schema)) return structuredClone(value) as unknown[];
    return value.map((each, index) =>
      pruneAt(each, item, `${path}[${String(index)}]`, item?.['x-kubernetes-embedded-resource'] === true, dropped),
    );
  }
  if (!isRecord(value)) return value;
  const kept: [string, unknown][] = [];
  for (const [key, field] of Object.entries(value)) {
    const at = under(path, key);
    if (isResource && resourceFields.includes(key)) {
      kept.push([key, structuredClone(field)]);
      continue;
    }
    const inner = schema && propertyOf(schema, key);
    if (inner || (schema && schema.additionalProperties !== undefined && schema.additionalProperties !== false)) {
      const isInnerResource = inner?.['x-kubernetes-embedded-resource'] === true;
      kept.push([key, pruneAt(field, inner, at, isInnerResource, dropped)]);
    } else if (schema && keepsUnknown(schema)) kept.push([key, structuredClone(field)]);
    else dropped.push(at);
  }
  // fromEntries defines own properties, so a key such as __proto__ stays data.
  return Object.fromEntries(kept);
}

const keepsUnknown = (schema: JsonSchema): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true;
