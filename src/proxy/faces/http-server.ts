/** A very small HTTP server: one function from a path to an answer, GET and HEAD alone, everything bounded. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { familyOf } from '../../lib/ip.ts';
import { createHttpServer } from '../../lib/node-http.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpServer {
  readonly port: number;
  /** Ends connections too. The port is free when this returns. */
  close(): void;
}

export interface ServeOptions {
  /** `[::]` does not listen for IPv4 as well. */
  readonly oneFamily?: boolean;
  /** ms a client may take to ask, and twice that to read: sockets are few, and health must be told. Default 5 s. */
  readonly patience?: number;
}

const LIMITS = { keepAliveTimeout: 1000, maxHeaderSize: 8192 };

/**
 * `address` is `ip:port`, IPv6 in brackets; port 0 takes a free one. `[::]` listens for both families, unless `oneFamily`.
 * Resolves when it listens; rejects when it cannot. Does not keep the process alive.
 */
export function serve(
  address: string,
  answer: (path: string) => HttpAnswer | Promise<HttpAnswer>,
  { oneFamily = false, patience = 5000 }: ServeOptions = {},
): Promise<HttpServer> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replaceAll(/[[\]]/g, '');
  const port = Number(address.slice(at + 1));
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const { status, type, body, headers = {} } = isRead ? await answer(path) : onlyGet;
    response
      .writeHead(status, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff', ...headers })
      .end(request.method === 'HEAD' ? '' : body);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch(() => response.destroy());
  };
  const server = createHttpServer({ ...LIMITS, connectionsCheckingInterval: patience / 5 }, listener);
  server.headersTimeout = server.requestTimeout = patience;
  // also for who asks and does not read
  server.timeout = 2 * patience;
  server.maxConnections = 512;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: oneFamily && familyOf(host) === 'IPv6' }, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined); // a single connection's trouble
      server.unref();
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound ? bound.port : port,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

const onlyGet: HttpAnswer = {
  status: 405,
  type: 'text/plain; charset=utf-8',
  body: 'only GET\n',
  headers: { Allow: 'GET, HEAD' },
};
