/** From the bytes of a request to a checked object, as strictly as the client asks for (features 8-015, 8-017, 8-077). */
import { ApiError, badRequest, invalidObject } from '../api/api-error.ts';
import { decodeObject, type KindName } from '../api/decode.ts';
import { notSupported, type FieldError } from '../api/field-error.ts';
import { inTextOrder, parseJsonWithDuplicates, type ParsedBody } from '../api/json.ts';
import { parseYaml } from '../api/yaml.ts';
import type { Kind } from '../api/kinds.ts';
import { parseProtobuf } from '../api/protobuf/decode.ts';
import type { KubeObject } from '../api/types.ts';
import { bodyFormatOf } from './media-types.ts';
import type { ApiRequest } from './request.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Bodies beyond this are refused with 413 (feature 8-076). */
export const MAX_BODY = 3 * 1024 * 1024;

export function tooLarge(): ApiError {
  return new ApiError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${String(MAX_BODY)}`,
  });
}

/** The body as a value. Throws ApiError: 400 malformed, 415 a format not spoken here. */
export function parseBody(request: ApiRequest): ParsedBody {
  const format = bodyFormatOf(request.headers['content-type']);
  if (request.body.length === 0) throw badRequest('the request has no body');
  if (format === 'protobuf') return parseProtobuf(request.body);
  const text = new TextDecoder().decode(request.body);
  return format === 'yaml' ? parseYaml(text) : parseJsonWithDuplicates(text);
}

/** Unknown and duplicate fields become warnings or a refusal. `context.warnings` takes the former. */
export function decodeChecked<T extends KubeObject>(
  kind: Kind<T> | KindName,
  body: ParsedBody,
  validation: FieldValidation,
  warnings: string[],
): T {
  const decoded = decodeObject(kind as Kind<T>, body.value);
  const problems = problemsIn(body, decoded.unknownFields);
  if (validation === 'Strict' && problems.length > 0) {
    throw badRequest(
      `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: strict decoding error: ${problems.join(', ')}`,
    );
  }
  if (validation === 'Warn') warnings.push(...problems);
  return decoded.object;
}

/** In the order of the text. A field that is unknown is not also told to be there twice. */
function problemsIn({ duplicateFields, text }: ParsedBody, unknownFields: readonly string[]): string[] {
  if (duplicateFields.length === 0) return [...unknownFields];
  const twice = duplicateFields.filter((each) => !unknownFields.includes(each.replace(/^duplicate/, 'unknown')));
  const problems = [...twice, ...unknownFields];
  return text === undefined ? problems : inTextOrder(text, problems);
}

/** Throws ApiError 422 for another value. */
export function fieldValidationOf(query: URLSearchParams, optionsKind = 'CreateOptions'): FieldValidation {
  const asked = query.get('fieldValidation') ?? '';
  if (asked === '') return 'Warn';
  if (asked === 'Ignore' || asked === 'Warn' || asked === 'Strict') return asked;
  throw invalidOption(optionsKind, notSupported('fieldValidation', asked, ['Ignore', 'Strict', 'Warn', '']));
}

/** Throws ApiError 422 for anything but `All`. */
export function isDryRun(values: readonly string[], optionsKind: string): boolean {
  const asked = values.filter((value) => value !== '');
  const wrong = asked.find((value) => value !== 'All');
  if (wrong !== undefined) throw invalidOption(optionsKind, notSupported('dryRun', asked, ['All']));
  return asked.length > 0;
}

export function invalidOption(kind: string, error: FieldError): ApiError {
  return invalidOptions(kind, [error]);
}

export function invalidOptions(kind: string, errors: readonly FieldError[]): ApiError {
  return invalidObject({ ...optionsRow, kind }, '', errors);
}

const optionsRow: Kind = {
  group: 'meta.k8s.io',
  version: 'v1',
  kind: 'Options',
  plural: 'options',
  singular: 'options',
  shortNames: [],
  namespaced: false,
  categories: [],
  subresources: [],
};
