/** The patch types that need no schema: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). Pure: the input stays as it is. */
import { ApiError, badRequest } from './api-error.ts';
import { applyJsonPatch, JsonPatchError, type JsonPatchOperation } from './json-patch.ts';

const MAX_OPERATIONS = 10_000;

/** RFC 7386: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  // A Map, because `__proto__` in a patch must become a plain field.
  const result = new Map<string, unknown>(isRecord(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * RFC 6902. A refusal has no details: with a kind and a name in them kubectl would print those in place of the message.
 * @throws ApiError 400 no list of operations, 413 too many of them, 422 one cannot be applied; nothing is half done.
 */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch must be a list of operations');
  if (operations.length > MAX_OPERATIONS) {
    throw new ApiError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `Request entity too large: The allowed maximum operations in a JSON patch is ${String(MAX_OPERATIONS)}, got ${String(operations.length)}`,
    });
  }
  const wrong: unknown = operations.find((each) => !isOperation(each));
  if (wrong !== undefined) throw badRequest(`${JSON.stringify(wrong)} is not an operation of a JSON patch`);
  try {
    return applyJsonPatch(target, operations as JsonPatchOperation[]);
  } catch (error) {
    if (!(error instanceof JsonPatchError)) throw error;
    throw new ApiError({
      code: 422,
      reason: 'Invalid',
      message: `the server rejected our request due to an error in our request: ${error.message}`,
    });
  }
}

function isOperation(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { op, path, from } = value;
  if (typeof path !== 'string' || typeof op !== 'string') return false;
  if (op === 'move' || op === 'copy') return typeof from === 'string';
  return ['add', 'remove', 'replace', 'test'].includes(op);
}
