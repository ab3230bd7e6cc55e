/**
 * exec, attach and port-forward: the handshake goes on to the runtime's streaming server, and then bytes both ways. What is spoken inside
 * (SPDY, WebSocket) is between the client and the runtime.
 */
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { STATUS_CODES, httpRequest } from '../../lib/node-http.ts';

/** Bytes of a refusal by the runtime that are passed on. */
const MAX_REFUSAL = 64 * 1024;
const CONNECT_TIMEOUT = 10_000;

/** Resolves when both sides are joined; from then on it owns the socket. Throws an Error where the runtime does not answer. */
export function relayUpgrade(client: IncomingMessage, socket: Duplex, head: Buffer, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onward = httpRequest(url, {
      method: client.method,
      headers: ['host', new URL(url).host, ...handshakeHeaders(client)],
      agent: false,
      timeout: CONNECT_TIMEOUT,
    });
    const gone = () => void onward.destroy();
    socket.once('close', gone);
    onward.on('timeout', () => onward.destroy(new Error('i/o timeout')));
    onward.on('error', (cause) => {
      reject(new Error(`error dialing the container runtime: ${cause.message}`, { cause }));
    });
    onward.on('response', (response) => {
      passRefusal(response, socket);
      resolve();
    });
    onward.on('upgrade', (response, runtime, first) => {
      socket.off('close', gone);
      socket.write(headText(response));
      if (first.length > 0) socket.write(first);
      if (head.length > 0) runtime.write(head);
      join(socket, runtime as Socket);
      resolve();
    });
    onward.end();
  });
}

/** Only what the handshake is made of, as a flat list of names and values. A list of protocol versions goes on as one header each: older runtimes read no lists. */
export function handshakeHeaders({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string[] {
  const passed = ['connection', 'Upgrade', 'content-length', '0'];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (name === 'x-stream-protocol-version') {
      for (const version of value.split(',')) passed.push(name, version.trim());
    } else if (name === 'upgrade' || name === 'user-agent' || name.startsWith('sec-websocket-')) {
      passed.push(name, value);
    }
  }
  return passed;
}

/** A side that has said its last word is given this long without a byte for the other to end, too. */
const LINGER = 10_000;

/**
 * Ends travel on their own: output still arrives after input has ended. An error on one side ends the other at once, and so does silence after
 * an end: the runtime does not always notice that nobody is there any more.
 */
export function join(client: Duplex, runtime: Socket): void {
  runtime.setNoDelay();
  runtime.setTimeout(0);
  const linger = () => {
    runtime.setTimeout(LINGER, () => runtime.destroy());
  };
  for (const [from, to] of [
    [client, runtime],
    [runtime, client],
  ] as const) {
    from.pipe(to);
    from.on('end', linger);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (from.readableEnded) linger();
      else to.destroy();
    });
  }
  runtime.on('close', () => {
    // All its output is in the client's queue: what the client does not take now it will not take later.
    if (client instanceof Socket) client.setTimeout(LINGER, () => client.destroy());
  });
}

function headText({ statusCode = 101, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${String(statusCode)} ${STATUS_CODES[statusCode] ?? ''}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function passRefusal(response: IncomingMessage, socket: Duplex): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_REFUSAL) chunks.push(chunk);
  });
  response.on('end', () => {
    refuse(socket, response.statusCode ?? 502, Buffer.concat(chunks).toString());
  });
  response.on('error', () => socket.destroy());
}

/** Answers an upgrade with an error, as plain text. */
export function refuse(socket: Duplex, code: number, message: string): void {
  const lines = [
    `HTTP/1.1 ${String(code)} ${STATUS_CODES[code] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(message))}`,
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${message}`);
}
