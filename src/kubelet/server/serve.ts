/** The kubelet's HTTPS server: a certificate of the cluster's own CA, and the same or a token from whoever asks. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { realClock, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Access } from './access.ts';
import { forbiddenText, isAllowed, peerOf, questionOf, type Peer } from './authorize.ts';
import { Refusal } from './find.ts';
import { answer, refusalOf, upgrade, type HandlerOptions } from './handlers.ts';
import { refuse } from './relay.ts';
import { openTunnel } from './tunnel.ts';
import { createHttpServer, createHttpsServer } from '../../lib/node-http.ts';

export interface KubeletServerOptions extends Omit<HandlerOptions, 'clock'> {
  readonly log: Log;
  /** PEM texts. */
  readonly serving: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly address: string;
  /** Default 10250. */
  readonly port?: number;
  /** Plain HTTP on 127.0.0.1 for health only (feature 7-066); none where undefined. */
  readonly healthzPort?: number;
  readonly clock?: Clock;
  /** For those that are neither administrators nor the API server; without it nobody else is let in. */
  readonly access?: Access;
}

type Handlers = HandlerOptions & Pick<KubeletServerOptions, 'access'>;

export interface KubeletServer {
  readonly port: number;
  /** Ends every connection. */
  stop(): Promise<void>;
}

/** Throws an Error where the port is taken. */
export async function runKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const { log, serving, address, port = 10250, clock = realClock } = options;
  const handlers: Handlers = { ...options, clock };
  const server = createHttpsServer({
    cert: serving.cert,
    key: serving.key,
    ca: serving.clientCa,
    requestCert: true,
    rejectUnauthorized: false, // who has no certificate may have a token
    minVersion: 'TLSv1.2',
    allowHalfOpen: true, // a stream's input may end before its output
  });
  const streams = new Set<Duplex>();
  server.on('request', (request, response) => {
    void respond(handlers, log, request, response);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    streams.add(socket);
    socket.on('close', () => streams.delete(socket));
    socket.on('error', () => socket.destroy());
    void takeOver(handlers, log, request, socket, () => upgrade(handlers, request, socket, head));
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    streams.add(socket);
    socket.on('close', () => streams.delete(socket));
    socket.on('error', () => socket.destroy());
    void takeOver(handlers, log, request, socket, () => openTunnel(options.pods, request.url ?? '', socket, head));
  });
  server.on('tlsClientError', (error) => {
    log.debug({ err: error }, 'a client was refused');
  });
  await listen(server, port, address, 'the kubelet');
  const healthz = options.healthzPort === undefined ? undefined : await serveHealthz(options.healthzPort, log);
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of streams) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      healthz?.close();
      healthz?.closeAllConnections();
      await closed;
    },
  };
}

async function listen(
  server: {
    listen(port: number, address: string): unknown;
    on(event: 'error', handler: () => void): unknown;
  } & NodeJS.EventEmitter,
  port: number,
  address: string,
  who: string,
): Promise<void> {
  server.listen(port, address);
  await once(server, 'listening').catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${who} cannot listen on ${address} port ${String(port)}: ${why}`, { cause });
  });
}

/** For people and scripts on the node. A port that is taken is no reason not to run pods. */
async function serveHealthz(port: number, log: Log) {
  const server = createHttpServer((request, response) => {
    const ok = request.url === '/healthz';
    response.statusCode = ok ? 200 : 404;
    response.end(ok ? 'ok' : '404 page not found');
  });
  try {
    await listen(server, port, '127.0.0.1', 'the health check of the kubelet');
    return server;
  } catch (error) {
    log.warn({ err: error }, 'no health check on loopback');
    return undefined;
  }
}

/** Throws Refusal: 401 for nobody we know, 403 for one who may not, 500 where the API server cannot be asked. */
async function admit(access: Access | undefined, request: IncomingMessage): Promise<void> {
  const peer = await whoAsks(access, request);
  if (isAllowed(peer)) return;
  const question = questionOf(request.method ?? '', pathOf(request));
  try {
    for (const subresource of question.subresources) if (await access?.allows(peer, question.verb, subresource)) return;
  } catch (cause) {
    throw new Refusal(500, forbiddenText(peer, question).replace('Forbidden', 'Authorization error'), { cause });
  }
  throw new Refusal(403, forbiddenText(peer, question));
}

async function whoAsks(access: Access | undefined, { socket, headers }: IncomingMessage): Promise<Peer> {
  const secure = socket as TLSSocket;
  const peer = secure.authorized ? peerOf(secure.getPeerCertificate()) : undefined;
  if (peer && peer.user !== '') return { ...peer, groups: [...peer.groups, 'system:authenticated'] };
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  try {
    const user = token === undefined ? undefined : await access?.user(token);
    if (user) return user;
  } catch (cause) {
    throw new Refusal(401, 'Unauthorized', { cause });
  }
  throw new Refusal(401, 'Unauthorized');
}

async function respond(
  handlers: Handlers,
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await admit(handlers.access, request);
    await answer(handlers, request, response);
  } catch (error) {
    const { code, message } = refusalOf(error);
    if (code >= 500) log.warn({ err: error, path: pathOf(request) }, 'a request to the kubelet failed');
    if (response.headersSent) response.destroy();
    else sendError(response, code, message);
  }
}

function sendError(response: ServerResponse, code: number, message: string): void {
  response.statusCode = code;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(message);
}

async function takeOver(
  handlers: Handlers,
  log: Log,
  request: IncomingMessage,
  socket: Duplex,
  open: () => Promise<void>,
): Promise<void> {
  try {
    await admit(handlers.access, request);
    await open();
  } catch (error) {
    const { code, message } = refusalOf(error);
    if (code >= 500) log.warn({ err: error, path: pathOf(request) }, 'a stream could not be opened');
    refuse(socket, code, message);
  }
}

/** Without the query: commands may hold secrets. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0] ?? '';
}
