/** One HTTP exchange with an API server over a kept-alive connection. Knows HTTP and TLS, nothing of objects. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { HttpAgent, HttpsAgent, httpRequest, httpsRequest } from '../lib/node-http.ts';

/** How to reach an API server and as whom. PEM texts, not paths. */
export interface ConnectionConfig {
  /** `https://host:port`, possibly with a path in front of the API's. */
  readonly server: string;
  /** Certificates to trust; those of the system where absent. */
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Bearer token. A function is asked for each request: tokens are renewed. */
  readonly token?: string | (() => string);
  /** Name the server's certificate must have, where it is not the host of `server`. */
  readonly tlsServerName?: string;
  /** Trust any certificate. Only ever because a kubeconfig says so. */
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
}

export interface RawOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
  /** Longest silence before the head of the answer, and within its body unless `streaming`; 30 s where absent. */
  readonly timeoutMs?: number;
  /** The body may pause for as long as it likes: watches, followed logs. */
  readonly streaming?: boolean;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed: until then it holds a connection. */
  readonly stream: Readable;
}

export interface Connection {
  /** @throws Error with `cause`, naming method and URL, when there is no answer. Any status is an answer. */
  raw(method: string, path: string, options?: RawOptions): Promise<RawResponse>;
  close(): void;
}

const TIMEOUT = 30_000;

export function createConnection(config: ConnectionConfig): Connection {
  const base = new URL(config.server);
  const secure = base.protocol === 'https:';
  if (!secure && base.protocol !== 'http:')
    throw new Error(`server must be an http or https URL, not ${config.server}`);
  const keep = { keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 16, scheduling: 'lifo' as const };
  const agent = secure ? new HttpsAgent({ ...keep, ...tlsOptions(config) }) : new HttpAgent(keep);
  const open = secure ? httpsRequest : httpRequest;
  const prefix = base.pathname.replace(/\/+$/, '');

  const once = (method: string, path: string, options: RawOptions) =>
    new Promise<RawResponse>((resolve, reject) => {
      const { body, signal, timeoutMs = TIMEOUT, streaming = false } = options;
      const request = open({
        host: base.hostname.replace(/^\[|\]$/g, ''),
        port: base.port || (secure ? 443 : 80),
        agent,
        method,
        path: prefix + path,
        headers: headersOf(config, options),
        ...(signal && { signal }),
      });
      const fail = (error: Error) => {
        const failure = new Error(`${method} ${base.origin}${prefix}${path}: ${error.message || codeOf(error)}`, {
          cause: error,
        });
        reject(Object.assign(failure, { retriable: request.reusedSocket && codeOf(error) === 'ECONNRESET' }));
      };
      request.setTimeout(timeoutMs, () => {
        request.destroy(new Error(`no answer for ${String(timeoutMs / 1000)} s`));
      });
      request.on('error', fail);
      request.on('response', (response: IncomingMessage) => {
        if (streaming) request.setTimeout(0);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, stream: response });
      });
      request.end(body);
    });

  return {
    async raw(method, path, options = {}) {
      try {
        return await once(method, path, options);
      } catch (error) {
        // The server closed an idle connection just as we took it. Only a read is safe to send again.
        if (method === 'GET' && (error as { retriable?: boolean }).retriable) return once(method, path, options);
        throw error;
      }
    },
    close() {
      agent.destroy();
    },
  };
}

function tlsOptions({ ca, cert, key, tlsServerName, insecureSkipTlsVerify }: ConnectionConfig) {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tlsServerName !== undefined && { servername: tlsServerName }),
    rejectUnauthorized: !insecureSkipTlsVerify,
  };
}

function headersOf(
  { token, userAgent }: ConnectionConfig,
  { headers, body }: RawOptions,
): Record<string, string | number> {
  const bearer = typeof token === 'function' ? token() : token;
  return {
    'user-agent': userAgent ?? 'fairway',
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
    ...headers,
  };
}

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.name;
