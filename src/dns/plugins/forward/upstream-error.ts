/** Why an upstream gave no answer. The message goes behind its address: "10.0.0.1:53 did not answer within 2 s". */
export class UpstreamError extends Error {
  /** `at once`: it is not there or refuses, asking again at once is of no use. `aborted`: somebody else was faster. */
  readonly kind: 'timeout' | 'at once' | 'aborted';

  constructor(kind: UpstreamError['kind'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UpstreamError';
    this.kind = kind;
  }
}

export const timedOut = (ms: number): UpstreamError =>
  new UpstreamError('timeout', `did not answer within ${String(ms / 1000)} s`);

export const aborted = (): UpstreamError => new UpstreamError('aborted', 'was not waited for');

/** @param error of a socket */
export function broken(error: unknown): UpstreamError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words = WORDS.get(code) ?? (error instanceof Error ? error.message : String(error));
  return new UpstreamError('at once', words, error);
}

const WORDS = new Map([
  ['ECONNREFUSED', 'refused the connection (nothing listens there)'],
  ['ECONNRESET', 'broke the connection'],
  ['ENETUNREACH', 'cannot be reached: no route to its network'],
  ['EHOSTUNREACH', 'cannot be reached: no route to it'],
  ['EACCES', 'cannot be asked: the kernel does not allow it'],
  ['EMFILE', 'cannot be asked: too many open files'],
]);
