/**
 * The small HTTP ports of a DNS server. Several server blocks may name the same one (`prometheus :9153` in each), and across a reload the new
 * chains take over before the old ones let go: so a port is opened by the first that wants it and closed by the last that leaves.
 *
 * A port that cannot be had is told in the log and tried again: names are answered all the same.
 */
import type { Server } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import { joinHostPort } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import { createHttpServer } from '../lib/node-http.ts';

export interface FaceAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** Of a request for its path, whatever the method. */
export type FaceHandler = () => FaceAnswer;

interface Claim {
  readonly path: string;
  readonly handler: FaceHandler;
}

interface Port {
  /** The newest of a path answers. */
  readonly claims: Claim[];
  /** Resolves to the port once it is listened to; undefined when it was given up before. */
  readonly listening: Promise<number | undefined>;
  readonly reachable: Promise<string | undefined>;
  close(): Promise<void>;
}

export interface Face {
  /** The port that was taken where 0 was asked for; undefined where it was never had. */
  readonly listening: Promise<number | undefined>;
  /** Where it answers this machine: `http://127.0.0.1:8080`. */
  readonly reachable: Promise<string | undefined>;
  release(): Promise<void>;
}

export interface HttpFacesOptions {
  /** Of addresses that name none, such as `:8080`; every one where absent. */
  readonly host?: string;
  readonly log: Log;
  readonly clock: Clock;
}

/** ms between tries to get a port. */
const RETRY_MS = 1000;
/** An asker who sends nothing or reads nothing is let go. */
const REQUEST_MS = 5000;
const MOST_CONNECTIONS = 64;

export class HttpFaces {
  readonly #options: HttpFacesOptions;
  readonly #ports = new Map<string, Port>();

  constructor(options: HttpFacesOptions) {
    this.#options = options;
  }

  /** @param address `:8080`, `127.0.0.1:8080`, `[::1]:8080` */
  claim(address: string, path: string, handler: FaceHandler): Face {
    let port = this.#ports.get(address);
    if (!port) this.#ports.set(address, (port = openPort(address, this.#options)));
    const { claims, listening, reachable } = port;
    const claim = { path, handler };
    claims.push(claim);
    return {
      listening,
      reachable,
      release: async () => {
        const at = claims.indexOf(claim);
        if (at < 0) return;
        claims.splice(at, 1);
        if (claims.length > 0) return;
        if (this.#ports.get(address) === port) this.#ports.delete(address);
        await port.close();
      },
    };
  }
}

function openPort(address: string, { log, clock, host }: HttpFacesOptions): Port {
  const claims: Claim[] = [];
  let isClosed = false;
  let cancel = (): void => undefined;
  let server: Server | undefined;
  let resolveListening: (port: number | undefined) => void = () => undefined;
  const listening = new Promise<number | undefined>((resolve) => (resolveListening = resolve));
  const attempt = (isFirst: boolean) => {
    const opening = serverFor(claims);
    server = opening;
    opening.on('error', (error) => {
      if (isClosed) return;
      if (opening.listening) {
        log.warn({ err: error, address }, 'HTTP socket');
        return;
      }
      if (isFirst) log.error({ err: error, address }, 'cannot listen for HTTP, trying again until it works');
      cancel = clock.after(
        RETRY_MS,
        () => {
          attempt(false);
        },
        true,
      );
    });
    const at = splitAddress(address);
    opening.listen(at.port, at.host ?? host, () => {
      const bound = opening.address();
      resolveListening(typeof bound === 'object' && bound !== null ? bound.port : at.port);
    });
  };
  attempt(true);
  return {
    claims,
    listening,
    reachable: listening.then((port) =>
      port === undefined ? undefined : originOf(splitAddress(address).host ?? host, port),
    ),
    close() {
      isClosed = true;
      cancel();
      resolveListening(undefined);
      return new Promise((resolve) => {
        server?.closeAllConnections();
        if (server)
          server.close(() => {
            resolve();
          });
        else resolve();
      });
    },
  };
}

function originOf(host: string | undefined, port: number): string {
  const isEvery = host === undefined || host === '0.0.0.0' || host === '::';
  return `http://${joinHostPort(isEvery ? '127.0.0.1' : host, port)}`;
}

function serverFor(claims: readonly Claim[]): Server {
  const server = createHttpServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const claim = claims.findLast((each) => each.path === path);
    const { status, body, contentType = 'text/plain; charset=utf-8' } = claim?.handler() ?? NOT_FOUND;
    response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  return server;
}

const NOT_FOUND: FaceAnswer = { status: 404, body: '404 page not found\n' };

/** Undefined: not `HOST:PORT`. An empty host is every address. */
export function parseFaceAddress(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return digits === '' || port > 65_535 ? undefined : { host: bracketed ?? plain, port };
}

function splitAddress(address: string): { host?: string; port: number } {
  const { host = '', port = 0 } = parseFaceAddress(address) ?? {};
  return { port, ...(host !== '' && { host }) };
}
