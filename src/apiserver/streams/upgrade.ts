/**
 * exec, attach and port-forward: the handshake is copied to the Pod's kubelet, and after it bytes are piped both ways. What is spoken
 * inside (SPDY, WebSocket) is between the client and the container runtime (features 7-053 to 7-060).
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { ApiError, badRequest, internalError } from '../../api/api-error.ts';
import { PODS } from '../../api/kinds.ts';
import type { Pod } from '../../api/types.ts';
import { authenticate } from '../authenticate.ts';
import { attributesOf } from '../authorization/attributes.ts';
import { authorize } from '../authorize.ts';
import { servesSubresource } from '../discovery.ts';
import { readObject } from '../read.ts';
import { parsePath } from '../routes.ts';
import type { RawRequest } from '../serve.ts';
import type { Server } from '../server.ts';
import { unreachable, type KubeletAddress } from './kubelets.ts';
import { refusal } from './logs.ts';
import { execTarget, portForwardTarget } from './targets.ts';

/** Sub-protocols the runtime's streaming server speaks over WebSocket; without one of them kubectl is sent to SPDY. */
const webSocketProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

interface Target {
  readonly address: KubeletAddress;
  readonly path: string;
}

/** Owns `socket`; answers every refusal on it. */
export async function relayUpgrade(server: Server, raw: RawRequest, socket: Duplex, head: Buffer): Promise<void> {
  try {
    const target = await findTarget(server, raw);
    await connect(server, target, raw, socket, head);
  } catch (error) {
    const known = error instanceof ApiError ? error : internalError(error instanceof Error ? error.message : '');
    refuse(socket, known);
  }
}

async function findTarget(server: Server, raw: RawRequest): Promise<Target> {
  const user = await authenticate(raw.peer, raw.headers['authorization'], server.tokens);
  const info = parsePath(raw.method, raw.path, raw.query);
  await authorize(server, user, attributesOf(info, raw.method, raw.query));
  if (info.type !== 'resource' || info.kind !== PODS || info.name === undefined || info.subresource === undefined) {
    throw badRequest('this path cannot be upgraded');
  }
  const { subresource } = info;
  if (!servesSubresource(PODS, subresource)) throw badRequest('this path cannot be upgraded');
  if (raw.headers['upgrade']?.toLowerCase() === 'websocket') checkWebSocket(raw.headers['sec-websocket-protocol']);
  const pod = (await readObject(server.core, PODS, info.namespace, info.name)).object as Pod;
  const address = server.kubelets.addressOf(pod);
  switch (subresource) {
    case 'exec':
    case 'attach':
      return { address, path: execTarget(subresource, pod, raw.query) };
    case 'portforward':
      return { address, path: portForwardTarget(pod, raw.query) };
    default:
      throw badRequest('this path cannot be upgraded');
  }
}

/** A failed handshake makes kubectl fall back to SPDY without a word to the user (feature 7-055). */
function checkWebSocket(protocols: string | undefined): void {
  const asked = (protocols ?? '').split(',').map((each) => each.trim());
  if (asked.some((each) => webSocketProtocols.includes(each))) return;
  throw badRequest(`unable to upgrade: none of the sub-protocols ${JSON.stringify(asked)} is supported; use SPDY/3.1`);
}

function connect(
  server: Server,
  { address, path }: Target,
  raw: RawRequest,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      ...server.kubelets.options(address, path),
      method: raw.method,
      headers: handshakeHeaders(raw.headers),
    });
    const gone = (): void => void request.destroy();
    socket.once('close', gone);
    request.on('timeout', () => request.destroy(new Error('i/o timeout')));
    request.on('error', (error) => {
      reject(unreachable(address, path, error));
    });
    request.on('response', (response) => {
      refusal(response).then(reject, reject);
    });
    request.on('upgrade', (response, backend, backendHead) => {
      socket.off('close', gone);
      socket.write(headText(response));
      if (backendHead.length > 0) socket.write(backendHead);
      if (head.length > 0) backend.write(head);
      join(socket, backend);
      resolve();
    });
    request.end();
  });
}

/** Ends of stream travel on their own, so that output still arrives after input has ended. */
function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    if ('setNoDelay' in from && typeof from.setNoDelay === 'function') (from as { setNoDelay(): void }).setNoDelay();
    if ('setTimeout' in from && typeof from.setTimeout === 'function')
      (from as { setTimeout(n: number): void }).setTimeout(0);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (!from.readableEnded) to.destroy();
    });
  }
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
