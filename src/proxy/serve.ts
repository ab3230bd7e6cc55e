/** The two small HTTP servers of a proxy: health for load balancers and kubelets, figures for people (3-142..3-147). */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface ProxyHealth {
  readonly now: number;
  /** ms since the epoch; 0 is never. */
  readonly lastSyncAt: number;
  /** When the oldest change not yet in force came in; undefined: none waits. */
  readonly waitingSince: number | undefined;
  /** False when the node is being deleted: load balancers shall go elsewhere (KEP-3836). */
  readonly nodeEligible: boolean;
  /** ms a change may wait before the proxy counts as ill. */
  readonly patience: number;
}

export function answerHealth(path: string, health: ProxyHealth): HttpAnswer {
  if (path !== '/healthz' && path !== '/livez') return notFound;
  const isHealthy =
    health.lastSyncAt > 0 && (health.waitingSince === undefined || health.now - health.waitingSince < health.patience);
  const ok = isHealthy && (path === '/livez' || health.nodeEligible);
  const time = (ms: number) => new Date(ms).toISOString();
  const lastUpdated = time(ok ? health.now : health.lastSyncAt);
  const body = {
    lastUpdated,
    currentTime: time(health.now),
    ...(path === '/healthz' && { nodeEligible: health.nodeEligible }),
    healthy: ok,
    status: { IPv4: { lastUpdated, healthy: isHealthy } },
  };
  return { status: ok ? 200 : 503, type: 'application/json', body: JSON.stringify(body) };
}

export function answerMetrics(path: string, mode: string, metrics: () => string): HttpAnswer {
  const plain = (body: string, type = 'text/plain; charset=utf-8') => ({ status: 200, type, body });
  if (path === '/metrics') return plain(metrics(), 'text/plain; version=0.0.4; charset=utf-8');
  if (path === '/healthz') return plain('ok');
  return path === '/proxyMode' ? plain(mode) : notFound;
}

const notFound: HttpAnswer = { status: 404, type: 'text/plain; charset=utf-8', body: 'not found\n' };

/** The servers of a proxy. A port that is taken is tried again, and never a reason not to write rules (3-156). */
export class ProxyServers {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #servers = new Set<Server>();
  readonly #cancels = new Set<() => void>();
  #stopped = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Begins at once; '' is no address. */
  listen(address: string, answer: (path: string) => HttpAnswer): void {
    if (address === '' || this.#stopped) return;
    serve(address, answer).then(
      (server) => {
        if (this.#stopped) server.close();
        else this.#servers.add(server);
      },
      (error: unknown) => {
        if (this.#stopped) return;
        this.#log.warn({ err: error, address }, 'cannot listen; trying again in 5 s');
        const again = () => {
          this.#cancels.delete(cancel);
          this.listen(address, answer);
        };
        const cancel = this.#clock.after(5000, again, true);
        this.#cancels.add(cancel);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

/** `address` is `ip:port`, IPv6 in brackets. Resolves when it listens; rejects when it cannot. */
export function serve(address: string, answer: (path: string) => HttpAnswer): Promise<Server> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replaceAll(/[[\]]/g, '');
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const { status, type, body } = isRead ? answer(path) : { ...notFound, status: 405, body: 'only GET\n' };
    response.writeHead(status, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' }).end(body);
  };
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 1000 }, handle);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port: Number(address.slice(at + 1)) }, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined); // a single connection's trouble
      server.unref();
      resolve(server);
    });
  });
}
