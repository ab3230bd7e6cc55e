/**
 * Unary gRPC calls over HTTP/2 on a unix socket, on Node's own http2. A general gRPC library would cost every agent over 20 MB of memory for
 * streaming, balancing and service configuration that one local socket never needs.
 */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';

/** Larger answers are refused. */
const MAX_MESSAGE = 16 * 1024 * 1024;
const PREFIX = 5;

/** gRPC status codes that this side gives itself. */
export const GRPC = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
} as const;

/** A call that did not end with OK. */
export class GrpcError extends Error {
  override name = 'GrpcError';
  readonly code: number;
  constructor(code: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export class UnaryChannel {
  readonly #path: string;
  #session: ClientHttp2Session | undefined;

  /** Connects with the first call, and again with the next one after a connection broke. */
  constructor(socketPath: string) {
    this.#path = socketPath;
  }

  /** @param method `/package.Service/Method` @param timeoutMs after which the call fails with deadlineExceeded, here and at the server */
  call(method: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const session = this.#connected();
      let stream: ClientHttp2Stream;
      try {
        stream = session.request({
          ':method': 'POST',
          ':path': method,
          'content-type': 'application/grpc',
          te: 'trailers',
          // The header holds at most eight digits.
          'grpc-timeout': timeoutMs < 1e8 ? `${String(timeoutMs)}m` : `${String(Math.ceil(timeoutMs / 1000))}S`,
        });
      } catch (error) {
        reject(new GrpcError(GRPC.unavailable, `connection to ${this.#path} broke`, error));
        return;
      }
      const timer = setTimeout(() => {
        reject(new GrpcError(GRPC.deadlineExceeded, `no answer within ${String(timeoutMs)} ms`));
        stream.close(constants.NGHTTP2_CANCEL);
      }, timeoutMs);
      collect(stream)
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer);
        });
      const prefix = Buffer.alloc(PREFIX);
      prefix.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([prefix, message]));
    });
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connected(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect('http://localhost', { createConnection: () => createConnection(this.#path) });
    const drop = () => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('error', drop); // each stream fails by itself and tells its caller
    session.on('goaway', drop);
    session.on('close', drop);
    this.#session = session;
    return session;
  }
}

/** The one message of the answer; GrpcError for every other end. */
function collect(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status: IncomingHttpHeaders = {};
    // A call that fails at once has its status in the head of the answer instead of its end.
    stream.on('response', (headers) => (status = { ...status, ...headers }));
    stream.on('trailers', (headers) => (status = { ...status, ...headers }));
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_MESSAGE + PREFIX) chunks.push(chunk);
      else {
        reject(new GrpcError(GRPC.resourceExhausted, `the answer is larger than ${String(MAX_MESSAGE)} bytes`));
        stream.close(constants.NGHTTP2_CANCEL);
      }
    });
    stream.on('error', (error) => {
      reject(new GrpcError(GRPC.unavailable, `the connection broke: ${error.message}`, error));
    });
    stream.on('close', () => {
      try {
        resolve(messageOf(status, Buffer.concat(chunks)));
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}

function messageOf(headers: IncomingHttpHeaders, body: Buffer): Buffer {
  const status = headers['grpc-status'];
  if (typeof status !== 'string') {
    const code = headers[':status'] as number | undefined;
    throw new GrpcError(
      GRPC.unavailable,
      code === undefined ? 'the connection broke' : `no gRPC answer (HTTP ${String(code)})`,
    );
  }
  if (status !== '0') throw new GrpcError(Number(status), unescape(headers['grpc-message']));
  if (body.length < PREFIX || body[0] !== 0 || body.readUInt32BE(1) !== body.length - PREFIX)
    throw new GrpcError(GRPC.internal, 'the answer is not one uncompressed message');
  return body.subarray(PREFIX);
}

/** grpc-message is percent-encoded UTF-8. */
function unescape(text: string | string[] | undefined): string {
  const raw = String(text ?? '');
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
