/** The refusals of the API server a controller expects, told apart so that only the unexpected ones are errors. */
import { ApiError, isNotFound } from '../api/api-error.ts';

/** A create refused because its namespace is on its way out: nothing to do, and nothing to report (2-029). */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.code === 403 &&
    (error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false)
  );
}

/** Waits for `work` and takes "it is already gone" for success. */
export async function ignoreNotFound(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Waits for a create and takes "its namespace is going away" for success; undefined then. */
export async function unlessTerminating<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isNamespaceTerminating(error)) return undefined;
    throw error;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
