/** The proxy subresources over plain HTTP (features 7-067, 7-068, 8-114 to 8-120). Upgrades come in through `upgrade.ts`. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { ApiError, unavailable } from '../../api/api-error.ts';
import { dialError } from '../../lib/dial-error.ts';
import type { Core } from '../core.ts';
import type { ApiRequest, ApiResponse } from '../request.ts';
import type { Call } from '../resources.ts';
import { addressOf, openRequest, type Backend } from './backend.ts';
import { findBackend } from './backends.ts';
import type { Kubelets } from './kubelets.ts';
import { rewriteLinks, rewriteLocation, type Rewriting } from './links.ts';
import { passOn } from './pass-on.ts';
import { requestHeaders, responseHeaders } from './proxy-headers.ts';

export async function proxyResponse(core: Core, kubelets: Kubelets, call: Call): Promise<ApiResponse> {
  const { info, request } = call;
  if (info.rest === '' && !request.path.endsWith('/') && ['GET', 'HEAD'].includes(request.method)) {
    const search = searchOf(request);
    return { status: 301, headers: { location: `${request.path}/${search}` }, body: '' };
  }
  return await forward(await findBackend(core, kubelets, call), request, info.rest);
}

function searchOf({ search, query }: ApiRequest): string {
  const text = search ?? query.toString();
  return text && `?${text}`;
}

/** In Kubernetes' words. */
export function unreachableService(backend: Backend, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const reason = error instanceof Error ? dialError(addressOf(backend), error) : String(error);
  return unavailable(`error trying to reach service: ${reason}`);
}

async function forward(backend: Backend, request: ApiRequest, rest: string): Promise<ApiResponse> {
  const outgoing = await openRequest(backend, {
    method: request.method,
    path: `/${rest}${searchOf(request)}`,
    headers: requestHeaders(request.headers, request),
  }).catch((error: unknown) => {
    throw unreachableService(backend, error);
  });
  const rewriting: Rewriting = {
    prefix: rest === '' ? request.path.replace(/\/$/, '') : request.path.slice(0, -rest.length - 1),
    hosts: [addressOf(backend), request.headers['host'] ?? ''],
  };
  return await new Promise((resolve, reject) => {
    const { unread } = request;
    const gone = () => outgoing.destroy();
    unread?.socket.once('close', gone);
    outgoing.on('close', () => unread?.socket.off('close', gone));
    outgoing.on('response', (incoming) => {
      resolve(answered(incoming, request.method, rewriting));
    });
    outgoing.on('error', (error) => {
      reject(unreachableService(backend, error));
    });
    if (unread) sendBody(unread, outgoing);
    else outgoing.end(request.body);
  });
}

/** No faster than the backend takes it. */
function sendBody(body: Readable, outgoing: ClientRequest): void {
  body.on('error', () => outgoing.destroy());
  body.pipe(outgoing);
}

function answered(incoming: IncomingMessage, method: string, rewriting: Rewriting): ApiResponse {
  const status = incoming.statusCode ?? 502;
  const headers = responseHeaders(incoming.headers);
  const { location } = incoming.headers;
  if (location !== undefined) headers['location'] = rewriteLocation(location, rewriting);
  const isPage = /^text\/html\b/i.test(incoming.headers['content-type'] ?? '');
  const encoding = incoming.headers['content-encoding'];
  if (!isPage || location !== undefined || method === 'HEAD' || encoding !== undefined)
    return { status, headers, body: passOn(incoming) };
  delete headers['content-length'];
  return { status, headers, body: passOn(incoming, rewriteLinks(rewriting)) };
}
