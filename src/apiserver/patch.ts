/** PATCH: JSON patch, merge patch and strategic merge patch on the present object (features 8-067 to 8-069, 8-075). */
import { badRequest, invalidObject } from '../api/api-error.ts';
import { decodeObject, type KindName } from '../api/decode.ts';
import { invalid } from '../api/field-error.ts';
import type { Kind } from '../api/kinds.ts';
import { jsonPatch, mergePatch } from '../api/patch.ts';
import { strategicMergePatch } from '../api/strategic-merge.ts';
import type { KubeObject } from '../api/types.ts';
import type { PatchType } from '../client/client.ts';
import type { FieldValidation } from './body.ts';

export interface Patch {
  readonly type: PatchType;
  readonly value: unknown;
  /** What its text says twice. */
  readonly duplicateFields?: readonly string[];
  readonly validation: FieldValidation;
}

/** Throws ApiError: 400 no patch of its type, 413 too long, 422 it does not fit the object. */
export function patchObject<T extends KubeObject>(
  kind: Kind<T> | KindName,
  current: T,
  { type, value, validation, duplicateFields = [] }: Patch,
  warnings: string[],
): T {
  const raw = apply(kind, type, current, value);
  const decoded = decodeObject(kind as Kind<T>, raw);
  const problems = [
    ...(type === 'json' ? operationProblems(value, duplicateFields) : duplicateFields),
    ...decoded.unknownFields,
  ];
  if (validation === 'Strict' && problems.length > 0) {
    const detail = `strict decoding error: ${problems.join(', ')}`;
    throw invalidObject(noKind, '', [invalid('patch', JSON.stringify(value), detail)]);
  }
  if (validation === 'Warn') warnings.push(...problems);
  return decoded.object;
}

/** What an operation of a JSON patch has that it should not: fields of its own, not of its value. */
function operationProblems(operations: unknown, duplicateFields: readonly string[]): string[] {
  const known = ['op', 'path', 'from', 'value'];
  const unknown = (Array.isArray(operations) ? operations : []).flatMap((operation: object, index) =>
    Object.keys(operation)
      .filter((field) => !known.includes(field))
      .map((field) => `unknown field "[${String(index)}].${field}"`),
  );
  const twice = duplicateFields.filter((each) => /"\[\d+\]\.[^.[]*"$/.test(each));
  return [...unknown, ...twice].map((problem) => `json patch ${problem}`);
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

function apply(kind: KindName, type: PatchType, current: KubeObject, patch: unknown): unknown {
  if (type === 'json') return jsonPatch(current, patch);
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    throw badRequest('a merge patch must be an object');
  }
  return type === 'merge' ? mergePatch(current, patch) : strategicMergePatch(kind, current, patch);
}
