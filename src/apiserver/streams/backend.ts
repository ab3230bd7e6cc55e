/** A server that requests are passed on to. */
import { request as httpRequest, type ClientRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { badRequest } from '../../api/api-error.ts';

export interface Backend {
  readonly host: string;
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls?: Pick<RequestOptions, 'cert' | 'key' | 'ca' | 'rejectUnauthorized'>;
}

/** Milliseconds to reach a backend; how long it takes to answer is its own affair. */
const CONNECT_TIMEOUT = 10_000;

/** A request that has not been sent yet; `error` says when the backend cannot be reached in time. Throws BadRequest for a path no request can have. */
export function openRequest(
  { host, port, tls }: Backend,
  options: Pick<RequestOptions, 'method' | 'path' | 'headers'>,
): ClientRequest {
  const all = { ...options, host, port, agent: false as const, timeout: CONNECT_TIMEOUT };
  let request: ClientRequest;
  try {
    request = tls ? httpsRequest({ ...all, ...tls }) : httpRequest(all);
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
  request.on('timeout', () => request.destroy(new Error('i/o timeout')));
  request.on('socket', (socket) => {
    socket.once(tls ? 'secureConnect' : 'connect', () => request.setTimeout(0));
  });
  return request;
}
