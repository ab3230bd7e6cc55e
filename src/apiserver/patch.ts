/** PATCH: JSON patch, merge patch and strategic merge patch on the present object (features 8-067 to 8-069, 8-075). */
import { applyPatch, type Operation } from 'rfc6902';
import { ApiError, badRequest, invalidObject } from '../api/api-error.ts';
import { decodeObject, type KindName } from '../api/decode.ts';
import { invalid } from '../api/field-error.ts';
import type { Kind } from '../api/kinds.ts';
import { strategicMergePatch } from '../api/strategic-merge.ts';
import type { KubeObject } from '../api/types.ts';
import type { PatchType } from '../client/client.ts';
import type { FieldValidation } from './body.ts';

const MAX_OPERATIONS = 10_000;

export interface Patch {
  readonly type: PatchType;
  readonly value: unknown;
  readonly validation: FieldValidation;
}

/** Throws ApiError: 400 no patch of its type, 413 too long, 422 it does not fit the object. `current` is changed. */
export function patchObject<T extends KubeObject>(
  kind: Kind<T> | KindName,
  current: T,
  { type, value, validation }: Patch,
  warnings: string[],
): T {
  const raw = type === 'json' ? jsonPatch(kind, current, value) : mergePatch(kind, type, current, value);
  const decoded = decodeObject(kind as Kind<T>, raw);
  if (decoded.unknownFields.length > 0) {
    if (validation === 'Strict') {
      const detail = `strict decoding error: ${decoded.unknownFields.join(', ')}`;
      throw invalidObject(noKind, '', [invalid('patch', JSON.stringify(value), detail)]);
    }
    if (validation === 'Warn') warnings.push(...decoded.unknownFields);
  }
  return decoded.object;
}

/** Patches are not about a kind when they are wrong: `The request is invalid: patch: …`. */
const noKind: Kind = {
  group: '',
  version: '',
  kind: '',
  plural: '',
  singular: '',
  shortNames: [],
  namespaced: false,
  categories: [],
  subresources: [],
};

function jsonPatch(kind: KindName, current: KubeObject, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations');
  if (patch.length > MAX_OPERATIONS) {
    throw new ApiError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `Request entity too large: The allowed maximum operations in a JSON patch is ${String(MAX_OPERATIONS)}, got ${String(patch.length)}`,
    });
  }
  const [failed] = patch.filter((each) => !isOperation(each));
  if (failed !== undefined) throw badRequest(`${JSON.stringify(failed)} is not an operation of a JSON patch`);
  const error = applyPatch(current, patch as Operation[]).find((each) => each !== null);
  if (error) {
    throw new ApiError({
      code: 422,
      reason: 'Invalid',
      message: `the server rejected our request due to an error in our request: ${error.message}`,
      details: { kind: kind.kind, name: current.metadata.name, ...(kind.group && { group: kind.group }) },
    });
  }
  return current;
}

function isOperation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { op, path, from } = value as { op?: unknown; path?: unknown; from?: unknown };
  if (typeof path !== 'string' || typeof op !== 'string') return false;
  if (op === 'move' || op === 'copy') return typeof from === 'string';
  return ['add', 'remove', 'replace', 'test'].includes(op);
}

function mergePatch(kind: KindName, type: 'merge' | 'strategic', current: KubeObject, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    throw badRequest('a merge patch must be an object');
  }
  if (type === 'merge') return merge(current, patch);
  return strategicMergePatch(kind, current, patch);
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const result = new Map<string, unknown>(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, merge(result.get(key), value));
  }
  return Object.fromEntries(result);
}
