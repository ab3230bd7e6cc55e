/** How a gRPC call ends when it does not end well. */

/** gRPC status codes that this side gives itself or looks at. */
export const GRPC = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
} as const;

interface Circumstances {
  readonly cause?: unknown;
  readonly unsent?: boolean;
  readonly answered?: boolean;
}

/** A call that did not end with OK. */
export class GrpcError extends Error {
  override name = 'GrpcError';
  readonly code: number;
  /** The request cannot have reached the server: asking again repeats nothing. */
  readonly unsent: boolean;
  /** The code is the server's own word. */
  readonly answered: boolean;
  constructor(code: number, message: string, { cause, unsent = false, answered = false }: Circumstances = {}) {
    super(message, { cause });
    this.code = code;
    this.unsent = unsent;
    this.answered = answered;
  }
}
