/** The HTTP faces of a proxy: health for load balancers and kubelets, figures for people (3-142, 3-143, 3-147). */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { Complaint } from '../../lib/complaint.ts';
import type { FamilyHealths } from './health.ts';
import { serve, type HttpAnswer, type HttpServer } from './http-server.ts';

export interface ProxyHealth {
  /** ms since the epoch. */
  readonly now: number;
  readonly families: FamilyHealths;
  /** False when the node is being deleted: load balancers shall go elsewhere, while nothing is wrong here (KEP-3836). */
  readonly nodeEligible: boolean;
}

export function answerHealth(path: string, { now, families, nodeEligible }: ProxyHealth): HttpAnswer {
  if (path !== '/healthz' && path !== '/livez') return notFound;
  const all = [...families.values()];
  const healthy = all.every((one) => one.healthy) && (path === '/livez' || nodeEligible);
  const time = (ms: number) => new Date(ms).toISOString();
  const status = [...families].map(([family, one]) => {
    return [family, { lastUpdated: time(one.healthy ? now : one.lastUpdated), healthy: one.healthy }];
  });
  const body = {
    // the words "I am well as of now"; else since when not
    lastUpdated: time(healthy ? now : Math.min(...all.map((one) => one.lastUpdated))),
    currentTime: time(now),
    ...(path === '/healthz' && { nodeEligible }),
    healthy,
    status: Object.fromEntries(status) as unknown,
  };
  return { status: healthy ? 200 : 503, type: 'application/json', body: JSON.stringify(body) };
}

/** What the metrics port tells. Each is asked for when somebody reads it. */
export interface ProxyFigures {
  readonly mode: string;
  readonly metrics: () => string | Promise<string>;
  readonly isHealthy: () => boolean;
  /** The configuration in force, as in its file; undefined: the proxy was not started from one. */
  readonly config?: unknown;
}

export async function answerMetrics(path: string, figures: ProxyFigures): Promise<HttpAnswer> {
  const { mode, metrics, isHealthy, config = {} } = figures;
  const answer = (body: string, type = 'text/plain; charset=utf-8') => ({ status: 200, type, body });
  switch (path) {
    case '/metrics':
      return answer(await metrics(), METRICS_TYPE);
    case '/metrics/slis':
      return answer(slis(isHealthy()), METRICS_TYPE);
    case '/healthz':
      return answer('ok');
    case '/proxyMode':
      return answer(mode);
    case '/configz':
      return answer(JSON.stringify({ 'kubeproxy.config.k8s.io': config }), 'application/json');
    default:
      return notFound;
  }
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const slis = (isHealthy: boolean): string =>
  `# HELP kubernetes_healthcheck Whether a health check passes
# TYPE kubernetes_healthcheck gauge
kubernetes_healthcheck{name="proxy",type="livez"} ${isHealthy ? '1' : '0'}
`;

const notFound: HttpAnswer = { status: 404, type: 'text/plain; charset=utf-8', body: 'not found\n' };

type Answer = (path: string) => HttpAnswer | Promise<HttpAnswer>;

/** ms. As kube-proxy (3-156). */
const RETRY = 5000;

/** The servers of a proxy. A port that is taken is tried again, and never a reason not to write rules, unless that is asked for (3-156). */
export class ProxyServers {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onFatal: ((error: Error) => void) | undefined;
  readonly #servers = new Set<HttpServer>();
  readonly #cancels = new Set<() => void>();
  /** By address. */
  readonly #complaints = new Map<string, Complaint>();
  #stopped = false;

  /** With `onFatal` nothing is tried again: it is told. */
  constructor(log: Log, clock: Clock, onFatal?: (error: Error) => void) {
    this.#log = log;
    this.#clock = clock;
    this.#onFatal = onFatal;
  }

  /** Begins at once; '' is no address. */
  listen(address: string, answer: Answer): void {
    if (address === '' || this.#stopped) return;
    serve(address, answer).then(
      (server) => {
        if (this.#stopped) server.close();
        else this.#servers.add(server);
        if (this.#complaintOf(address).clear()) this.#log.info({ address }, 'listens now');
      },
      (error: unknown) => {
        if (!this.#stopped) this.#failed(address, answer, error);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    for (const server of this.#servers) server.close();
  }

  #complaintOf(address: string): Complaint {
    let complaint = this.#complaints.get(address);
    if (!complaint) this.#complaints.set(address, (complaint = new Complaint(this.#clock)));
    return complaint;
  }

  #failed(address: string, answer: Answer, error: unknown): void {
    if (this.#onFatal) {
      this.#onFatal(
        new Error(`cannot listen on ${address}, and --bind-address-hard-fail says to end`, { cause: error }),
      );
      return;
    }
    this.#complaintOf(address).raise(error instanceof Error ? error.message : String(error), (repeats) => {
      this.#log.warn({ err: error, address, ...(repeats > 0 && { repeats }) }, 'cannot listen; trying every 5 s');
    });
    const again = () => {
      this.#cancels.delete(cancel);
      this.listen(address, answer);
    };
    const cancel = this.#clock.after(RETRY, again, true);
    this.#cancels.add(cancel);
  }
}
