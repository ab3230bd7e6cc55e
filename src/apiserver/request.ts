/**
 * A request and its answer as plain values, so that the whole API server is a function one can call without a socket.
 * Sockets live in `serve.ts` alone.
 */
import type { IncomingMessage } from 'node:http';

/** Who asks: the outcome of authentication. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ApiRequest {
  /** Upper case. */
  readonly method: string;
  /** Decoded segments are taken from it by `parsePath`; still percent-encoded here. Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly user: User;
  readonly remoteAddress: string;
  /** The query as it came, for a server that the request is passed on to; without the question mark. */
  readonly search?: string;
  /** The body still to be read, however long, of a request that is passed on (`isPassedOn`); `body` is empty then. */
  readonly unread?: IncomingMessage;
}

/** The receiving end of a streamed answer. */
export interface Sink {
  /** Takes the bytes as they are: callers may hand the same buffer to many sinks and must not change it afterwards. */
  write(chunk: Uint8Array): void;
  /** Bytes taken but not yet gone to the network: the sender drops a reader that lets this grow. */
  pending(): number;
  /** Calls back once when nothing is pending any more: for senders that can wait. */
  drained(callback: () => void): void;
  end(): void;
  /** Ends it so that the reader sees that something is missing. A sink without it ends. */
  abort?(): void;
}

/** A body that comes piece by piece. `start` begins pushing and returns what stops it when the reader goes away. */
export interface BodyStream {
  start(sink: Sink): () => void;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Uint8Array | string | BodyStream;
}

export function isStream(body: ApiResponse['body']): body is BodyStream {
  return typeof body === 'object' && 'start' in body;
}

export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** The identity of the parts that run in the server's own process. */
export const LOOPBACK: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };
