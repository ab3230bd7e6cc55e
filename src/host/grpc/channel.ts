/**
 * gRPC over HTTP/2 on Node's own http2: unary calls and streams that stay open. A general gRPC library would cost every process over 20 MB of
 * memory for balancing, resolving and service configuration that a known list of addresses never needs.
 */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import { GRPC, GrpcError } from './grpc-error.ts';
import { frameOf, MessageReader } from './messages.ts';

/** Connects with the first call, and again with the next one after a connection broke. */
export interface ChannelOptions {
  /** Said in errors: the socket's path, or `https://host:2379`. */
  readonly name: string;
  /** Opens the transport; for TLS a TLSSocket. */
  readonly open: () => Socket;
  /** Event of the socket that says it is usable. */
  readonly openedBy?: 'connect' | 'secureConnect';
  /** A connection that is not up by then is given up, ms. */
  readonly connectTimeout?: number;
  /** Without traffic the peer is asked this often whether it is still there, ms; silence for as long breaks the connection. Absent: never. */
  readonly keepAlive?: number;
  /** Larger messages are refused; 16 MiB where absent. */
  readonly maxMessage?: number;
}

export interface StreamHandlers {
  onMessage(message: Buffer): void;
  /** Exactly once, unless closed by this side. */
  onEnd(error: GrpcError): void;
}

export interface GrpcStream {
  send(message: Buffer): void;
  close(): void;
}

const MAX_MESSAGE = 16 * 1024 * 1024;
/** Bytes a peer may send before it waits for this side to have read them. */
const WINDOW = 4 * 1024 * 1024;

export const unixChannel = (path: string): GrpcChannel =>
  new GrpcChannel({ name: path, open: () => createConnection(path) });

export class GrpcChannel {
  readonly name: string;
  readonly #options: ChannelOptions;
  #session: ClientHttp2Session | undefined;
  /** Sessions whose transport came up: what was asked of another never left this machine. */
  readonly #connected = new WeakSet<ClientHttp2Session>();

  constructor(options: ChannelOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /**
   * @param method `/package.Service/Method`
   * @param timeoutMs after which the call fails with deadlineExceeded, here and at the server
   * @param metadata further headers
   */
  call(method: string, message: Buffer, timeoutMs: number, metadata: Record<string, string> = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const session = this.#use();
      const stream = this.#request(session, method, {
        // The header holds at most eight digits.
        'grpc-timeout': timeoutMs < 1e8 ? `${String(timeoutMs)}m` : `${String(Math.ceil(timeoutMs / 1000))}S`,
        ...metadata,
      });
      if (stream instanceof GrpcError) {
        reject(stream);
        return;
      }
      const timer = setTimeout(() => {
        reject(
          new GrpcError(GRPC.deadlineExceeded, `no answer within ${String(timeoutMs)} ms`, {
            unsent: !this.#connected.has(session),
          }),
        );
        stream.close(constants.NGHTTP2_CANCEL);
      }, timeoutMs);
      let answer: Buffer | undefined;
      this.#follow(session, stream, {
        onMessage: (one) => {
          if (answer) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
          answer = one;
        },
        onEnd: (error) => {
          clearTimeout(timer);
          if (error.code !== GRPC.ok) reject(error);
          else if (answer) resolve(answer);
          else reject(new GrpcError(GRPC.internal, 'the answer is not one uncompressed message'));
        },
      });
      stream.end(frameOf(message));
    });
  }

  /** A call that stays open in both directions. */
  stream(method: string, metadata: Record<string, string>, handlers: StreamHandlers): GrpcStream {
    const session = this.#use();
    const stream = this.#request(session, method, metadata);
    if (stream instanceof GrpcError) {
      queueMicrotask(() => {
        handlers.onEnd(stream);
      });
      return { send: () => undefined, close: () => undefined };
    }
    let closed = false;
    this.#follow(session, stream, {
      onMessage: (message) => {
        if (!closed) handlers.onMessage(message);
      },
      onEnd: (error) => {
        if (!closed) handlers.onEnd(error);
      },
    });
    return {
      send: (message) => {
        if (!stream.destroyed && !stream.closed) stream.write(frameOf(message));
      },
      close: () => {
        closed = true;
        stream.close(constants.NGHTTP2_CANCEL);
      },
    };
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #request(
    session: ClientHttp2Session,
    method: string,
    headers: Record<string, string>,
  ): ClientHttp2Stream | GrpcError {
    try {
      return session.request({
        ':method': 'POST',
        ':path': method,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
    } catch (error) {
      return new GrpcError(GRPC.unavailable, `connection to ${this.name} broke`, { cause: error, unsent: true });
    }
  }

  #follow(session: ClientHttp2Session, stream: ClientHttp2Stream, { onMessage, onEnd }: StreamHandlers): void {
    const reader = new MessageReader(this.#options.maxMessage ?? MAX_MESSAGE);
    let status: IncomingHttpHeaders = {};
    let failure: GrpcError | undefined;
    // A call that fails at once has its status in the head of the answer instead of its end.
    stream.on('response', (headers) => (status = { ...status, ...headers }));
    stream.on('trailers', (headers) => (status = { ...status, ...headers }));
    stream.on('data', (chunk: Buffer) => {
      if (failure) return;
      try {
        for (const message of reader.read(chunk)) onMessage(message);
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        failure = error;
        stream.close(constants.NGHTTP2_CANCEL);
      }
    });
    stream.on('error', (error) => {
      // A stream that goes with its session says only that it was cancelled.
      const { message } = error.cause instanceof Error ? error.cause : error;
      failure ??= new GrpcError(GRPC.unavailable, `the connection broke: ${message}`, {
        cause: error,
        unsent: this.#neverSent(session, stream),
      });
    });
    stream.on('close', () => {
      onEnd(failure ?? endOf(status, reader.ended, this.#neverSent(session, stream)));
    });
  }

  /** The request cannot have been seen: no connection, or a server that says so itself. */
  #neverSent(session: ClientHttp2Session, stream: ClientHttp2Stream): boolean {
    return !this.#connected.has(session) || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  #use(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { open, openedBy = 'connect', connectTimeout, keepAlive } = this.#options;
    const session = connect('http://localhost', {
      createConnection: () => {
        const socket = open();
        socket.once(openedBy, () => {
          clearTimeout(timer);
          this.#connected.add(session);
        });
        return socket;
      },
      settings: { initialWindowSize: WINDOW },
    });
    const timer =
      connectTimeout === undefined
        ? undefined
        : setTimeout(() => {
            session.destroy(new Error(`no connection within ${String(connectTimeout)} ms`));
          }, connectTimeout);
    session.once('connect', () => {
      // it may be told after the session ended, and would then throw where nobody catches
      if (!session.destroyed) session.setLocalWindowSize(2 * WINDOW);
    });
    const stopAsking = keepAlive === undefined ? () => undefined : keepAsking(session, keepAlive);
    const drop = () => {
      clearTimeout(timer);
      stopAsking();
      if (this.#session === session) this.#session = undefined;
    };
    session.on('error', drop); // each stream fails by itself and tells its caller
    session.on('goaway', drop);
    session.on('close', drop);
    this.#session = session;
    return session;
  }
}

/** Breaks a session whose peer is silent. Returns the stop. */
function keepAsking(session: ClientHttp2Session, period: number): () => void {
  let waiting = false;
  const timer = setInterval(() => {
    if (session.connecting || session.destroyed) return;
    if (waiting) {
      session.destroy(new Error(`no sign of life within ${String(period)} ms`));
      return;
    }
    waiting = session.ping(() => {
      waiting = false;
    });
  }, period);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

/** How a call ended; code `ok` where it ended well. */
function endOf(headers: IncomingHttpHeaders, complete: boolean, unsent: boolean): GrpcError {
  const status = headers['grpc-status'];
  if (typeof status !== 'string') {
    const code = headers[':status'] as number | undefined;
    return new GrpcError(
      GRPC.unavailable,
      code === undefined ? 'the connection broke' : `no gRPC answer (HTTP ${String(code)})`,
      { unsent },
    );
  }
  if (status === '0' && !complete) return new GrpcError(GRPC.internal, 'the answer ends inside a message');
  return new GrpcError(Number(status), unescape(headers['grpc-message']), { answered: true });
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
