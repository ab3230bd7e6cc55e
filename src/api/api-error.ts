/**
 * The API server's refusals as one error type: a Status with a reason from a closed set and its HTTP code (features 8-089 to 8-095).
 * Thrown by the server's own code and by every Client, so callers ask `isNotFound(error)` on either side of the wire.
 */
import { fieldErrorBody, fieldErrorMessage, type FieldError } from './field-error.ts';
import { resourceNameOf, type Kind } from './kinds.ts';
import type { Status } from './types.ts';

export class ApiError extends Error {
  readonly status: Status;
  constructor(status: Omit<Status, 'kind' | 'apiVersion' | 'metadata' | 'status'>) {
    super(status.message);
    this.name = 'ApiError';
    this.status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...status };
  }
  get code(): number {
    return this.status.code ?? 500;
  }
  get reason(): string {
    return this.status.reason ?? '';
  }
}

const details = (kind: Kind, name: string) => ({ name, ...(kind.group && { group: kind.group }), kind: kind.plural });

export const notFound = (kind: Kind, name: string): ApiError =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: `${resourceNameOf(kind)} "${name}" not found`,
    details: details(kind, name),
  });

export const alreadyExists = (kind: Kind, name: string): ApiError =>
  new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${resourceNameOf(kind)} "${name}" already exists`,
    details: details(kind, name),
  });

/** Default text: the one for a stale resourceVersion (feature 8-064). */
export const conflict = (
  kind: Kind,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): ApiError =>
  new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${resourceNameOf(kind)} "${name}": ${why}`,
    details: details(kind, name),
  });

export const badRequest = (message: string): ApiError => new ApiError({ code: 400, reason: 'BadRequest', message });

export const forbiddenRequest = (kind: Kind, name: string, why: string): ApiError =>
  new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${resourceNameOf(kind)} "${name}" is forbidden: ${why}`,
    details: details(kind, name),
  });

/** Mistakes an answer tells of: a body can have half a million, whose words would fill the memory. */
const MAX_ERRORS = 1000;

export function invalidObject(kind: Kind, name: string, all: readonly FieldError[]): ApiError {
  const errors = all.slice(0, MAX_ERRORS);
  const unique = [...new Map(errors.map((error) => [fieldErrorMessage(error), error])).values()];
  const texts = unique.map(fieldErrorMessage);
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`} "${name}" is invalid: ${texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`}`,
    details: {
      name,
      ...(kind.group && { group: kind.group }),
      kind: kind.kind,
      causes: unique.map((error) => ({
        reason: `FieldValue${error.type}`,
        message: fieldErrorBody(error),
        field: error.field,
      })),
    },
  });
}

export const expired = (message: string): ApiError => new ApiError({ code: 410, reason: 'Expired', message });

export const internalError = (message: string): ApiError =>
  new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });

export const unavailable = (message: string): ApiError =>
  new ApiError({ code: 503, reason: 'ServiceUnavailable', message });

const hasReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof ApiError && error.reason === reason;
export const isNotFound = hasReason('NotFound');
export const isAlreadyExists = hasReason('AlreadyExists');
export const isConflict = hasReason('Conflict');
export const isInvalid = hasReason('Invalid');
export const isForbidden = hasReason('Forbidden');
/** The watch or continue token is too old: list again (features 8-049, 8-055). */
export const isExpired = (error: unknown): boolean => error instanceof ApiError && error.code === 410;
