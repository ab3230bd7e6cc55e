/** Under which name a client owns what it writes (features 8-070, 8-071). */
import { forbidden, invalid, required, type FieldError } from '../api/field-error.ts';
import { invalidOptions } from './body.ts';
import { patchTypeOf } from './media-types.ts';
import type { ApiRequest } from './request.ts';
import type { ResourceInfo, Verb } from './routes.ts';

const MAX_LENGTH = 128;

/** The kind of options a verb takes, as its refusals name it. */
const optionsKinds: Partial<Record<Verb, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
};

export const optionsKindOf = (verb: Verb): string => optionsKinds[verb] ?? 'CreateOptions';

/** `fieldManager` of the query, else what the User-Agent begins with. Throws ApiError 422, also where apply has none, or others are forced. */
export function fieldManagerOf({ query, headers }: ApiRequest, { kind, verb }: ResourceInfo): string {
  const asked = query.get('fieldManager') ?? '';
  const options = kind && optionsKinds[verb];
  if (options !== undefined && options !== 'DeleteOptions') {
    const errors = checkName(asked);
    if (verb === 'patch') errors.push(...checkPatch(asked, query, headers['content-type']));
    if (errors.length > 0) throw invalidOptions(options, errors);
  }
  return asked || fromUserAgent(headers['user-agent'] ?? '') || 'unknown';
}

function checkName(name: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(name) > MAX_LENGTH) {
    errors.push({ type: 'TooLong', field: 'fieldManager', detail: `may not be more than ${String(MAX_LENGTH)} bytes` });
  }
  for (const [index, character] of [...name].entries()) {
    if (isPrintable(character)) continue;
    errors.push(
      invalid(
        'fieldManager',
        name,
        `should only contain printable characters (invalid character at position ${String(index)})`,
      ),
    );
    break;
  }
  return errors;
}

function checkPatch(name: string, query: URLSearchParams, contentType: string | undefined): FieldError[] {
  if (patchTypeOf(contentType) === 'apply') {
    return name === '' ? [required('fieldManager', 'is required for apply patch')] : [];
  }
  return query.has('force') ? [forbidden('force', 'may not be specified for non-apply patch')] : [];
}

const isPrintable = (character: string): boolean => !/[\p{C}\p{Zl}\p{Zp}]/u.test(character);

function fromUserAgent(agent: string): string {
  let name = '';
  for (const character of agent.split('/', 1)[0] ?? '') {
    if (!isPrintable(character)) continue;
    if (Buffer.byteLength(name + character) > MAX_LENGTH) break;
    name += character;
  }
  return name;
}
