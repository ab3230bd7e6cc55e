/** The configuration in the body of a server-side apply, which is YAML or JSON (feature 8-070). */
import { badRequest } from '../api/api-error.ts';
import { parseYaml } from '../api/yaml.ts';
import type { KindName } from '../api/decode.ts';
import { fieldValidationOf } from './body.ts';
import { checkConfig } from './ownership.ts';
import type { ApiRequest } from './request.ts';

/** Throws ApiError 400: no YAML, a field twice where that is asked to be refused, another version or kind. */
export function parseConfig(kind: KindName, request: ApiRequest, warnings: string[]): Record<string, unknown> {
  const { value, duplicateFields } = parseYaml(new TextDecoder().decode(request.body), 'error decoding YAML');
  const validation = fieldValidationOf(request.query, 'PatchOptions');
  if (duplicateFields.length > 0 && validation !== 'Ignore') {
    const text = `error converting YAML to JSON: ${duplicateFields.join(', ')}`;
    if (validation === 'Strict') throw badRequest(`error strict decoding YAML: ${text}`);
    warnings.push(text);
  }
  checkConfig(kind, value);
  return value;
}

export const isForced = ({ query }: ApiRequest): boolean =>
  ['true', '1', 't', 'T', 'True', 'TRUE'].includes(query.get('force') ?? '');
