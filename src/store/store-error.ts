/** Failures of the file below the store, each with what to do about it. Foreign errors are translated here and nowhere else. */

/**
 * `failed`: the disk took a sync badly, so what it holds is unknown and the store refuses everything until it is opened again.
 * `unavailable`: etcd could not be asked, and nothing was done. `unknown`: its answer was lost, and the commit may have been carried out.
 */
export type StoreErrorCode =
  'locked' | 'damaged' | 'full' | 'unwritable' | 'newer' | 'failed' | 'io' | 'unavailable' | 'unknown' | 'too-large';

export class StoreError extends Error {
  override name = 'StoreError';
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Primary result codes of SQLite (sqlite.org/rescode.html) and error codes of the system. */
const CODES: Record<string, FileErrorCode> = {
  '5': 'locked',
  '6': 'locked',
  '8': 'unwritable',
  '11': 'damaged',
  '13': 'full',
  '14': 'unwritable',
  '26': 'damaged',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EACCES: 'unwritable',
  EPERM: 'unwritable',
  EROFS: 'unwritable',
  EISDIR: 'unwritable',
  ENOTDIR: 'unwritable',
};

type FileErrorCode = Exclude<StoreErrorCode, 'unavailable' | 'unknown' | 'too-large'>;

const ADVICE: Record<FileErrorCode, string> = {
  locked: 'another server has it open: stop that one, or give this one its own --data-dir',
  damaged: 'the file is damaged or no Fairway state: move it away, and put a backup in its place or start empty',
  full: 'the disk is full: free some space, then try again',
  unwritable: 'it cannot be written: check the path, its owner and its permissions',
  newer: 'it was written by a newer Fairway: use that one',
  failed: 'the disk failed to keep what was written: check the disk, then start the server again',
  io: 'the disk reported an error: check it',
};

export function translateError(path: string, doing: string, error: unknown): unknown {
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  const { errcode, code } = error as { errcode?: number; code?: string };
  // Extended result codes carry the primary one in their low byte.
  const id = errcode === undefined ? (code ?? '') : String(errcode & 255);
  if (errcode === undefined && !/^E[A-Z]+$/.test(id)) return error;
  return storeError(path, doing, CODES[id] ?? 'io', error);
}

export function storeError(path: string, doing: string, code: FileErrorCode, cause?: unknown): StoreError {
  const detail = cause instanceof Error ? ` (${cause.message})` : '';
  return new StoreError(code, `cannot ${doing} ${path}: ${ADVICE[code]}${detail}`, cause);
}
