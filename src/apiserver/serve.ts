/** The socket: HTTPS on Node's own server, in front of a function. Everything Kubernetes is behind that function. */
import type { Server as HttpsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Peer } from './authenticate.ts';
import { isImpersonationHeader, type HeaderPairs } from './authentication/impersonate.ts';
import { MAX_BODY } from './body.ts';
import { isStream, type ApiResponse, type BodyStream } from './request.ts';
import { isPassedOn } from './routes.ts';
import { createHttpsServer } from '../lib/node-http.ts';

export interface ServeOptions {
  readonly bindAddress: string;
  /** 0: any free one. */
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  /** The CA of client certificates. */
  readonly clientCa: string;
}

/** A request before anybody knows whose it is. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Without those that ask to be taken for somebody else. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly impersonation: HeaderPairs;
  readonly body: Uint8Array;
  readonly peer: Peer;
  readonly remoteAddress: string;
  /** The query as it came, without the question mark. */
  readonly search: string;
  /** Where the body is to be passed on: not read yet, and `body` is empty. */
  readonly unread?: IncomingMessage;
}

export interface Handlers {
  request(request: RawRequest): Promise<ApiResponse>;
  /** Owns the socket from here on. `head` came behind the request's headers. */
  upgrade(request: RawRequest, socket: Duplex, head: Buffer): void;
}

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** Milliseconds. */
const HEADERS_TIMEOUT = 30_000;
const BODY_TIMEOUT = 60_000;
const KEEP_ALIVE = 90_000;

export async function listen(options: ServeOptions, handlers: Handlers): Promise<Listening> {
  const { cert, key, clientCa, bindAddress, port } = options;
  const server = createHttpsServer(
    {
      cert,
      key,
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      allowHalfOpen: true, // a stream's input may end before its output
      handshakeTimeout: HEADERS_TIMEOUT,
    },
    (request, response) => {
      void answer(handlers, request, response);
    },
  );
  server.headersTimeout = HEADERS_TIMEOUT;
  server.requestTimeout = 0; // streams; the time to send headers is bounded above, the body below
  server.keepAliveTimeout = KEEP_ALIVE;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    handlers.upgrade(rawRequest(request, Buffer.alloc(0)), socket, head);
  });
  // Raw sockets: those in a handshake and those upgraded are unknown to HTTP, and would hold up the end.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', refuse);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, bindAddress, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : port,
    close: () => closeServer(server, sockets),
  };
}

/** What is no HTTP is told so and cut off. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  // Nothing of an answer may have gone out before, and who has hung up hears no more.
  const isFresh = socket.writable && (socket as Partial<TLSSocket>).bytesWritten === 0;
  if (!isFresh) socket.destroy();
  else {
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
  }
}

function closeServer(server: HttpsServer, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    for (const socket of sockets) socket.destroy();
  });
}

async function answer(handlers: Handlers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const unread = isPassedOn((request.url ?? '').split('?', 1)[0] ?? '') ? request : undefined;
    const raw = rawRequest(request, unread ? Buffer.alloc(0) : await readBody(request));
    send(request, response, await handlers.request(unread ? { ...raw, unread } : raw));
  } catch {
    // Only the connection itself can fail here: the client went away.
    response.destroy();
  }
}

function rawRequest(request: IncomingMessage, body: Uint8Array): RawRequest {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const search = mark < 0 ? '' : url.slice(mark + 1);
  const headers: Record<string, string | undefined> = {};
  let impersonates = false;
  for (const [name, value] of Object.entries(request.headers)) {
    if (isImpersonationHeader(name)) impersonates = true;
    else headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(search),
    search,
    headers,
    impersonation: impersonates ? impersonationHeaders(request.rawHeaders) : [],
    body,
    peer: peerOf(request.socket),
    remoteAddress: request.socket.remoteAddress ?? '',
  };
}

/** From the raw ones: a group may have a comma in its name. */
function impersonationHeaders(raw: readonly string[]): HeaderPairs {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    if (isImpersonationHeader(name)) pairs.push([name, raw[index + 1] ?? '']);
  }
  return pairs;
}

interface Shown {
  readonly peer: Peer;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** What each connection showed in its handshake: reading a certificate anew for every request would cost more than most answers. */
const shown = new WeakMap<Socket, Shown>();

/** The subject only of a certificate that our CA signed and whose time is now, however long the connection lasts. */
function peerOf(socket: Socket): Peer {
  const known = shown.get(socket) ?? readPeer(socket as TLSSocket);
  shown.set(socket, known);
  return Date.now() > known.until ? { isUntrusted: true } : known.peer;
}

function readPeer(socket: TLSSocket): Shown {
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate>;
  if (certificate.subject === undefined) return { peer: {}, until: Infinity };
  if (!socket.authorized) return { peer: { isUntrusted: true }, until: Infinity };
  const fingerprint = (certificate.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
  const until = Date.parse(certificate.valid_to ?? '');
  return { peer: { subject: certificate.subject as Peer['subject'], fingerprint }, until };
}

/** Reads a little beyond the limit, so that the handler sees it and can answer 413; the rest is thrown away. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      reject(new Error('the body did not come in time'));
    }, BODY_TIMEOUT);
    request.on('data', (chunk: Buffer) => {
      if (size > MAX_BODY) return;
      size += chunk.length;
      chunks.push(chunk);
      if (size > MAX_BODY) resolve(Buffer.concat(chunks));
    });
    request.on('end', () => {
      clearTimeout(timer);
      resolve(chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks));
    });
    request.on('error', reject);
    request.on('close', () => {
      clearTimeout(timer);
      reject(new Error('the client went away'));
    });
  });
}

function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: ApiResponse): void {
  if (isStream(body)) {
    sendStream(request, response, status, headers, body);
    return;
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes.length > 0 || status !== 304) response.setHeader('content-length', bytes.length);
  if (status === 413) response.setHeader('connection', 'close');
  response.writeHead(status, headers);
  if (request.method === 'HEAD') response.end();
  else if (bytes.length <= SLICE) response.end(bytes);
  else void sendSlices(response, bytes);
}

/** Bytes encrypted at a time: all at once would take as much memory again, and hold up everybody else. */
const SLICE = 1024 * 1024;

async function sendSlices(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += SLICE) {
    if (!response.write(bytes.subarray(at, at + SLICE))) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: ApiResponse['headers'],
  body: BodyStream,
): void {
  response.writeHead(status, headers);
  response.flushHeaders();
  request.socket.setNoDelay(true);
  const stop = body.start({
    write: (chunk) => {
      if (!response.writableEnded) response.write(chunk);
    },
    pending: () => response.writableLength + request.socket.writableLength,
    drained: (callback) => {
      if (response.writableNeedDrain) response.once('drain', callback);
      else setImmediate(callback);
    },
    end: () => {
      response.end();
    },
    abort: () => {
      response.destroy();
    },
  });
  response.on('close', stop);
  // Who went away while the answer was made says so no more.
  if (response.closed || response.destroyed) stop();
}
