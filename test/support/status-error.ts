/** Recognises refusals in tests. */
import { ApiError } from '../../src/api/api-error.ts';

/** For `assert.throws` and `assert.rejects`: an ApiError of this code and reason whose message has `text` in it. */
export function isStatusError(code: number, reason: string, text = ''): (error: unknown) => boolean {
  return (error) =>
    error instanceof ApiError && error.code === code && error.reason === reason && error.message.includes(text);
}
