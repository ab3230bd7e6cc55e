/** The kubelet's HTTPS server: certificates of the cluster's own CA on both sides. */
import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { realClock, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { isAllowed, peerOf } from './authorize.ts';
import { answer, refusalOf, upgrade, type HandlerOptions } from './handlers.ts';
import { refuse } from './relay.ts';

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
}

export interface KubeletServer {
  readonly port: number;
  /** Ends every connection. */
  stop(): Promise<void>;
}

/** Throws an Error where the port is taken. */
export async function runKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const { log, serving, address, port = 10250, clock = realClock } = options;
  const handlers: HandlerOptions = { ...options, clock };
  const server = createServer({
    cert: serving.cert,
    key: serving.key,
    ca: serving.clientCa,
    requestCert: true,
    rejectUnauthorized: true,
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
    void takeOver(handlers, log, request, socket, head);
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
  const server = createPlainServer((request, response) => {
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

function forbidden(socket: TLSSocket): string | undefined {
  const peer = peerOf(socket.getPeerCertificate());
  return isAllowed(peer) ? undefined : `Forbidden (user=${peer.user}, resource=nodes, subresource=proxy)`;
}

async function respond(
  handlers: HandlerOptions,
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const refused = forbidden(request.socket as TLSSocket);
    if (refused === undefined) await answer(handlers, request, response);
    else sendError(response, 403, refused);
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
  handlers: HandlerOptions,
  log: Log,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  try {
    const refused = forbidden(request.socket as TLSSocket);
    if (refused === undefined) await upgrade(handlers, request, socket, head);
    else refuse(socket, 403, refused);
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
