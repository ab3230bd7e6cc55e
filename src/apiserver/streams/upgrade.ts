/**
 * Connections that change their protocol. exec, attach and port-forward: the handshake is copied to the Pod's kubelet, and after it bytes are piped
 * both ways; what is spoken inside (SPDY, WebSocket) is between the client and the container runtime (features 7-053 to 7-060). The proxy
 * subresources: the same, to whatever the Service, Pod or node is (feature 8-118).
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, badRequest, internalError } from '../../api/api-error.ts';
import { PODS, type Kind } from '../../api/kinds.ts';
import type { Pod } from '../../api/types.ts';
import { admitConnection } from '../admission/face.ts';
import { attributesOf } from '../authorization/attributes.ts';
import { authorize } from '../authorize.ts';
import { servesSubresource } from '../discovery.ts';
import { follow, type Following } from '../audit/follow.ts';
import { identify } from '../identify.ts';
import { readObject } from '../read.ts';
import { methodNotAllowed } from '../resources.ts';
import { leadsNowhere, parsePath, type ResourceInfo } from '../routes.ts';
import type { RawRequest } from '../serve.ts';
import type { Server } from '../server.ts';
import { openRequest, type Backend } from './backend.ts';
import { findBackend } from './backends.ts';
import { join } from './join.ts';
import { unreachable } from './kubelets.ts';
import { refusal } from './logs.ts';
import { unreachableService } from './proxy.ts';
import { responseHeaders, upgradeHeaders } from './proxy-headers.ts';
import { execTarget, portForwardTarget } from './targets.ts';
import { STATUS_CODES } from '../../lib/node-http.ts';

/** Sub-protocols the runtime's streaming server speaks over WebSocket; without one of them kubectl is sent to SPDY. */
const webSocketProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

interface Target {
  readonly backend: Backend;
  readonly path: string;
  readonly headers: Record<string, string | string[]>;
  /** What the client hears when the backend cannot be reached. */
  unreachable(error: Error): ApiError;
  /** The backend does not want to change the protocol. */
  refused(response: IncomingMessage, socket: Duplex): Promise<void> | void;
}

/** Owns `socket`; answers every refusal on it. */
export async function relayUpgrade(server: Server, raw: RawRequest, socket: Duplex, head: Buffer): Promise<void> {
  const following = follow(server, raw);
  try {
    const target = await findTarget(server, raw, following);
    following.passedOn(socket, await connect(target, raw.method, socket, head));
  } catch (error) {
    const known = error instanceof ApiError ? error : internalError(error instanceof Error ? error.message : '');
    following.refused(known);
    refuse(socket, known);
  }
}

async function findTarget(server: Server, raw: RawRequest, following: Following): Promise<Target> {
  const { user } = await identify(server, raw, following);
  const info = parsePath(raw.method, raw.path, raw.query, server.core.kinds);
  await authorize(server, user, attributesOf(info, raw.method, raw.query), following.decided);
  if (info.type !== 'resource' || !info.kind || info.name === undefined || info.subresource === undefined) {
    throw badRequest('this path cannot be upgraded');
  }
  const { kind, subresource } = info;
  if (!servesSubresource(kind, subresource) || leadsNowhere(info)) throw badRequest('this path cannot be upgraded');
  const context = { user, dryRun: false, warnings: [] };
  const { namespace, name } = info;
  await admitConnection(server.core, { kind, namespace, name, subresource, context }, raw.query);
  return subresource === 'proxy' ? await proxyTarget(server, raw, kind, info) : await podTarget(server, raw, info);
}

async function podTarget(server: Server, raw: RawRequest, info: ResourceInfo): Promise<Target> {
  // With another method it would have been allowed as the update or deletion of something.
  if (raw.method !== 'GET' && raw.method !== 'POST') throw methodNotAllowed();
  if (raw.headers['upgrade']?.toLowerCase() === 'websocket') checkWebSocket(raw.headers['sec-websocket-protocol']);
  const pod = (await readObject(server.core, PODS, info.namespace, info.name ?? '')).object as Pod;
  const backend = server.kubelets.backendOf(pod);
  const path = pathAtKubelet(pod, info, raw.query);
  return {
    backend,
    path,
    headers: handshakeHeaders(raw.headers),
    unreachable: (error) => unreachable(backend, path, error),
    refused: async (response) => {
      throw await refusal(response);
    },
  };
}

function pathAtKubelet(pod: Pod, { kind, subresource }: ResourceInfo, query: URLSearchParams): string {
  if (kind === PODS && (subresource === 'exec' || subresource === 'attach')) return execTarget(subresource, pod, query);
  if (kind === PODS && subresource === 'portforward') return portForwardTarget(pod, query);
  throw badRequest('this path cannot be upgraded');
}

async function proxyTarget(server: Server, raw: RawRequest, kind: Kind, info: ResourceInfo): Promise<Target> {
  const backend = await findBackend(server.core, server.kubelets, { kind, info });
  return {
    backend,
    path: `/${info.rest}${raw.search && `?${raw.search}`}`,
    headers: upgradeHeaders(raw.headers, raw),
    unreachable: (error) => unreachableService(backend, error),
    refused: passAnswer,
  };
}

/** A failed handshake makes kubectl fall back to SPDY without a word to the user (feature 7-055). */
function checkWebSocket(protocols: string | undefined): void {
  const asked = (protocols ?? '').split(',').map((each) => each.trim());
  if (asked.some((each) => webSocketProtocols.includes(each))) return;
  throw badRequest(`unable to upgrade: none of the sub-protocols ${JSON.stringify(asked)} is supported; use SPDY/3.1`);
}

/** The status of the backend's answer, which has been passed on: 101 where the protocol is another one from here on. */
async function connect(target: Target, method: string, socket: Duplex, head: Buffer): Promise<number> {
  const { path, headers } = target;
  const request = await openRequest(target.backend, { path, headers, method }).catch((error: unknown) => {
    throw target.unreachable(error as Error);
  });
  return await new Promise<number>((resolve, reject) => {
    const gone = (): void => void request.destroy();
    socket.once('close', gone);
    request.on('error', (error) => {
      reject(target.unreachable(error));
    });
    request.on('response', (response) => {
      Promise.resolve(response)
        .then((answer) => target.refused(answer, socket))
        .then(() => {
          resolve(response.statusCode ?? 0);
        }, reject);
    });
    request.on('upgrade', (response, backend, backendHead) => {
      socket.off('close', gone);
      socket.write(headText(response));
      if (backendHead.length > 0) socket.write(backendHead);
      if (head.length > 0) backend.write(head);
      join(socket, backend);
      resolve(response.statusCode ?? 101);
    });
    request.end();
  });
}

/** Credentials stay here: the kubelet knows the API server by its certificate. */
function handshakeHeaders(headers: RawRequest['headers']): Record<string, string> {
  const passed = Object.entries(headers).filter(
    ([name, value]) =>
      value !== undefined &&
      (name === 'connection' ||
        name === 'upgrade' ||
        name === 'user-agent' ||
        name.startsWith('x-stream-protocol-version') ||
        name.startsWith('sec-websocket-')),
  ) as [string, string][];
  return { ...Object.fromEntries(passed), connection: 'Upgrade', 'content-length': '0' };
}

function headText({ statusCode = 101, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${String(statusCode)} ${STATUS_CODES[statusCode] ?? ''}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** An ordinary answer instead of an upgrade, as it is; the end of the connection is its end. */
function passAnswer(response: IncomingMessage, socket: Duplex): void {
  const { statusCode = 502, statusMessage = '' } = response;
  const headers = Object.entries(responseHeaders(response.headers)).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${each}`),
  );
  const lines = [`HTTP/1.1 ${String(statusCode)} ${statusMessage}`, ...headers, 'connection: close'];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  response.on('error', () => socket.destroy());
  socket.once('close', () => response.destroy());
  response.pipe(socket);
}

function refuse(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(error.status);
  const lines = [
    `HTTP/1.1 ${String(error.code)} ${STATUS_CODES[error.code] ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
