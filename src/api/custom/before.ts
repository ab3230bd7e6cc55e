/**
 * The object as it was before an update, part by part. What has not changed is not refused, even where the schema has become stricter since,
 * and a rule may compare a part with what it was (KEP-4008).
 */
import { deepEqual } from '../deep-equal.ts';
import { isRecord, type JsonSchema } from './schema.ts';

/** What a part of an object was before; undefined: there is nothing it can be compared with. */
export type Before = { readonly value: unknown } | undefined;

export function fieldBefore(key: string, before: Before): Before {
  const old = before?.value;
  return isRecord(old) && Object.hasOwn(old, key) ? { value: old[key] } : undefined;
}

/** Only the items of a list that is a map can be told apart. */
export function itemBefore(item: unknown, schema: JsonSchema, before: Before): Before {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const old = before?.value;
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old) || !isRecord(item)) return undefined;
  const found: unknown = old.find((each) => isRecord(each) && keys.every((key) => deepEqual(each[key], item[key])));
  return found === undefined ? undefined : { value: found };
}
