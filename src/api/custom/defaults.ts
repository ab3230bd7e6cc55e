/**
 * Defaulting by schema, as Kubernetes does it on every request and on every read from the store: an absent field takes its default, and so
 * does one that is null though it may not be. A null without a default, where null is not allowed, counts as absent.
 */
import { isRecord, itemOf, propertyOf, type JsonSchema } from './schema.ts';

/** Changes `value` in place. Idempotent. */
export function applyDefaults(value: unknown, schema: JsonSchema): void {
  fill(value, schema);
  dropNulls(value, schema);
}

const isForbiddenNull = (value: unknown, schema: JsonSchema | undefined): boolean =>
  value === null && schema !== undefined && schema.nullable !== true;

function fill(value: unknown, schema: JsonSchema): void {
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    if (!item) return;
    for (const [index, each] of value.entries()) {
      if (isForbiddenNull(each, item) && item.default !== undefined) value[index] = structuredClone(item.default);
      fill(value[index], item);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue;
    if (!Object.hasOwn(value, key) || isForbiddenNull(value[key], property)) {
      set(value, key, structuredClone(property.default));
    }
  }
  for (const key of Object.keys(value)) {
    const inner = propertyOf(schema, key);
    if (!inner) continue;
    if (isForbiddenNull(value[key], inner) && inner.default !== undefined) {
      set(value, key, structuredClone(inner.default));
    }
    fill(value[key], inner);
  }
}

function dropNulls(value: unknown, schema: JsonSchema): void {
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    if (item) for (const each of value) dropNulls(each, item);
    return;
  }
  if (!isRecord(value)) return;
  for (const key of Object.keys(value)) {
    const inner = propertyOf(schema, key);
    if (!inner) continue;
    if (isForbiddenNull(value[key], inner)) Reflect.deleteProperty(value, key);
    else dropNulls(value[key], inner);
  }
}

/** As data, whatever the key is called. */
function set(record: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}
