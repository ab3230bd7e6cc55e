/** A server that requests are passed on to. */
import type { ClientRequest } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { badRequest } from '../../api/api-error.ts';
import { joinHostPort } from '../../lib/ip.ts';
import { openTunnel } from './tunnel.ts';
import { httpRequest, httpsRequest } from '../../lib/node-http.ts';

export interface Backend {
  readonly host: string;
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls?: Pick<RequestOptions, 'cert' | 'key' | 'ca' | 'rejectUnauthorized'>;
  /** The kubelet by way of which it is reached. */
  readonly via?: Backend;
}

export const addressOf = ({ host, port }: Backend): string => joinHostPort(host, port);

/** Milliseconds to reach a backend; how long it takes to answer is its own affair. */
const CONNECT_TIMEOUT = 10_000;

type Options = Pick<RequestOptions, 'method' | 'path' | 'headers'>;

/**
 * A request that has not been sent yet; its `error` says when the backend cannot be reached in time. Rejects where the way there is closed. Throws
 * BadRequest for a path no request can have.
 */
export async function openRequest(backend: Backend, options: Options): Promise<ClientRequest> {
  const tunnel = backend.via && (await openTunnel(backend.via, addressOf(backend)));
  try {
    return tunnel ? overTunnel(tunnel, backend, options) : direct(backend, options);
  } catch (error) {
    tunnel?.destroy();
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

function direct({ host, port, tls }: Backend, options: Options): ClientRequest {
  const all = { ...options, host, port, agent: false as const, timeout: CONNECT_TIMEOUT };
  const request = tls ? httpsRequest({ ...all, ...tls }) : httpRequest(all);
  request.on('timeout', () => request.destroy(new Error('i/o timeout')));
  request.on('socket', (socket) => {
    socket.once(tls ? 'secureConnect' : 'connect', () => request.setTimeout(0));
  });
  return request;
}

function overTunnel(tunnel: Duplex, { tls }: Backend, options: Options): ClientRequest {
  return httpRequest({
    ...options,
    createConnection: () => (tls ? tlsConnect({ ...tls, socket: tunnel }) : tunnel),
  });
}
