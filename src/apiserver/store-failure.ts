/** What a client is told when the datastore fails. */
import { ApiError, internalError } from '../api/api-error.ts';
import { StoreError } from '../store/store-error.ts';

/**
 * Undefined: no failure of the datastore. `Retry-After`, on which clients try again by themselves, goes only with failures that did nothing:
 * a POST whose outcome is not known would find its own object in the way.
 */
export function storeFailure(error: unknown): ApiError | undefined {
  if (!(error instanceof StoreError)) return undefined;
  const { code, message } = error;
  switch (code) {
    case 'unavailable':
      return new ApiError({
        code: 503,
        reason: 'ServiceUnavailable',
        message,
        details: { retryAfterSeconds: 1 },
      });
    case 'unknown':
      return new ApiError({ code: 504, reason: 'Timeout', message });
    case 'too-large':
      return new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message });
    default:
      return internalError(message);
  }
}
