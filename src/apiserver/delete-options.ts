/** DeleteOptions from the body, or from the query where there is none (feature 8-078). */
import { badRequest } from '../api/api-error.ts';
import { invalid, notSupported } from '../api/field-error.ts';
import type { DeleteOptions } from '../client/client.ts';
import { invalidOption, isDryRun, parseBody } from './body.ts';
import type { ApiRequest } from './request.ts';
import { isTrue } from './query.ts';

export interface ParsedDeleteOptions extends DeleteOptions {
  dryRun: boolean;
}

const policies = ['Background', 'Foreground', 'Orphan'] as const;

/** Throws ApiError: 400, 415, 422. */
export function parseDeleteOptions(request: ApiRequest): ParsedDeleteOptions {
  return deleteOptionsOf(readBody(request), request.query);
}

/** Of options as a body has them, and a query where it leaves something out. Throws ApiError 422. */
export function deleteOptionsOf(
  raw: Readonly<Record<string, unknown>>,
  query: URLSearchParams = new URLSearchParams(),
): ParsedDeleteOptions {
  const grace = raw['gracePeriodSeconds'] ?? fromQuery(query.get('gracePeriodSeconds'), Number);
  const orphan = raw['orphanDependents'] ?? fromQuery(query.get('orphanDependents'), isTrue);
  const policy =
    raw['propagationPolicy'] ??
    query.get('propagationPolicy') ??
    (typeof orphan === 'boolean' ? (orphan ? 'Orphan' : 'Background') : undefined);
  const dryRun = raw['dryRun'] ?? query.getAll('dryRun');
  const asked = Array.isArray(dryRun) ? dryRun.map(String) : [];
  const options: ParsedDeleteOptions = { dryRun: isDryRun(asked, 'DeleteOptions') };
  if (typeof orphan === 'boolean' && (raw['propagationPolicy'] ?? query.get('propagationPolicy') ?? '') !== '') {
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    throw invalidOption('DeleteOptions', invalid('propagationPolicy', policy, why));
  }
  if (grace !== undefined) options.gracePeriodSeconds = graceSeconds(grace);
  if (policy !== undefined && policy !== '') {
    const known = policies.find((each) => each === policy);
    if (!known) throw invalidOption('DeleteOptions', notSupported('propagationPolicy', policy, policies));
    options.propagationPolicy = known;
  }
  const preconditions = preconditionsOf(raw['preconditions']);
  return preconditions ? { ...options, preconditions } : options;
}

function readBody(request: ApiRequest): Record<string, unknown> {
  if (request.body.length === 0) return {};
  const { value } = parseBody(request);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('the body of a delete request must be a DeleteOptions object');
  }
  const { kind } = value as { kind?: unknown };
  if (kind !== undefined && kind !== 'DeleteOptions') {
    throw badRequest(`the body of a delete request must be of kind DeleteOptions, not ${JSON.stringify(kind)}`);
  }
  return value as Record<string, unknown>;
}

function fromQuery<T>(text: string | null, read: (text: string) => T): T | undefined {
  return text === null || text === '' ? undefined : read(text);
}

/** Less than nothing counts as one second. */
function graceSeconds(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value < 0 ? 1 : value;
  throw invalidOption('DeleteOptions', invalid('gracePeriodSeconds', value, 'must be a whole number'));
}

function preconditionsOf(value: unknown): DeleteOptions['preconditions'] {
  if (typeof value !== 'object' || value === null) return undefined;
  const { uid, resourceVersion } = value as { uid?: unknown; resourceVersion?: unknown };
  return {
    ...(typeof uid === 'string' && { uid }),
    ...(typeof resourceVersion === 'string' && { resourceVersion }),
  };
}
