/** Applies the patch types that need no schema: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). Pure: the input stays as it is. */
import { applyPatch as applyOperations, type Operation } from 'rfc6902';
import { badRequest } from '../api/api-error.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7386: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    // defineProperty, because `__proto__` in a patch must become a plain field.
    else Object.defineProperty(result, key, { value: mergePatch(own(result, key), value), ...plain });
  }
  return result;
}

const plain = { enumerable: true, configurable: true, writable: true };
const own = (record: Record<string, unknown>, key: string) => (Object.hasOwn(record, key) ? record[key] : undefined);

/** RFC 6902. @throws ApiError 400 when an operation cannot be applied; nothing is half done. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('json patch must be a list of operations');
  const result = structuredClone(target);
  for (const error of applyOperations(result, operations as Operation[])) {
    if (error) throw badRequest(`the server cannot apply the patch: ${error.message}`);
  }
  return result;
}
