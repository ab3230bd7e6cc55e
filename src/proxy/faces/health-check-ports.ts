/**
 * The healthCheckNodePort of Services with externalTrafficPolicy Local: a load balancer asks it whether this node has an endpoint
 * (3-144, 3-145). A PlanFollower for one address family; what a change costs follows what changed.
 */
import type { Clock } from '../../lib/clock.ts';
import { joinHostPort, type Family } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';
import type { HttpAnswer, HttpServer } from './http-server.ts';
import { serve } from './http-server.ts';
import type { PlanFollower, PlanUpdate, ServicePort } from '../plan/types.ts';

export interface HealthCheckPortsParts {
  readonly family: Family;
  /** Node addresses that answer; 'all' is every one of the family. */
  readonly addresses: 'all' | readonly string[];
  /** Whether the proxy's rules are what the API says. */
  readonly isHealthy: () => boolean;
  /** Told once for each Service whose port cannot be had, until it can (3-146). */
  readonly onBindFailure: (namespace: string, service: string, message: string) => void;
  readonly log: Log;
  readonly clock: Clock;
}

interface Entry {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  /** Ready local endpoints: as planned last, and as the rules in force have it. */
  planned: number;
  inForce: number;
  /** The Service is there, and still has this port. */
  isWanted: boolean;
  servers: readonly HttpServer[];
  state: 'new' | 'starting' | 'open' | 'failed' | 'closed';
  cancelRetry: () => void;
}

/** ms. */
const RETRY = 5000;

export class HealthCheckPorts implements PlanFollower {
  readonly #parts: HealthCheckPortsParts;
  /** By `namespace/service`. */
  readonly #entries = new Map<string, Entry>();
  /** Entries that are not as wanted any more; `apply` closes them. */
  readonly #retired = new Set<Entry>();
  readonly #touched = new Set<Entry>();
  #stopped = false;

  constructor(parts: HealthCheckPortsParts) {
    this.#parts = parts;
  }

  follow(update: PlanUpdate): void {
    if (update.changed !== undefined) {
      for (const [key, { after }] of update.changed) this.#set(key, after);
      return;
    }
    const byService = new Map<string, ServicePort[]>();
    for (const port of update.plan.servicePorts) {
      if (port.healthCheckNodePort === undefined) continue;
      byService.set(`${port.namespace}/${port.service}`, [port]);
    }
    for (const key of this.#entries.keys()) if (!byService.has(key)) this.#set(key, []);
    for (const [key, ports] of byService) this.#set(key, ports);
  }

  /** To be called when the rules of all updates so far are in force: only now may more traffic come (trap T17). */
  apply(): void {
    for (const entry of this.#retired) close(entry);
    this.#retired.clear();
    for (const entry of this.#touched) {
      entry.inForce = entry.planned;
      if (entry.state === 'new') this.#open(entry);
    }
    this.#touched.clear();
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of [...this.#entries.values(), ...this.#retired]) close(entry);
    this.#entries.clear();
    this.#retired.clear();
  }

  #set(key: string, ports: readonly ServicePort[]): void {
    const wanted = ports.find((port) => port.healthCheckNodePort !== undefined);
    const known = this.#entries.get(key);
    if (known && known.port !== wanted?.healthCheckNodePort) {
      known.isWanted = false;
      this.#entries.delete(key);
      this.#touched.delete(known);
      this.#retired.add(known);
    }
    if (wanted?.healthCheckNodePort === undefined) return;
    let entry = this.#entries.get(key);
    if (!entry) this.#entries.set(key, (entry = entryOf(wanted, wanted.healthCheckNodePort)));
    entry.planned = wanted.localReadyCount;
    this.#touched.add(entry);
  }

  #open(entry: Entry): void {
    const { addresses, family } = this.#parts;
    const all = family === 'IPv6' ? '::' : '0.0.0.0';
    const ips = addresses === 'all' ? [all] : addresses;
    const retry = entry.state === 'failed';
    entry.state = 'starting';
    const answer = () => answerHealthCheck(entry, this.#parts.isHealthy());
    const listening = ips.map((ip) => serve(joinHostPort(ip, entry.port), answer, { oneFamily: true }));
    void Promise.allSettled(listening).then((results) => {
      const servers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const failure = results.find((one) => one.status === 'rejected');
      entry.servers = servers;
      if (this.#stopped || !entry.isWanted) {
        close(entry);
        return;
      }
      if (failure === undefined) entry.state = 'open';
      else this.#failed(entry, failure.reason, retry);
    });
  }

  /** Half a set of addresses would answer some load balancers and not others: all are let go and asked for again. */
  #failed(entry: Entry, error: unknown, isRepeat: boolean): void {
    const { log, clock, onBindFailure } = this.#parts;
    const { namespace, service, port } = entry;
    for (const server of entry.servers) server.close();
    entry.servers = [];
    entry.state = 'failed';
    if (!isRepeat) {
      log.error({ err: error, namespace, service, port }, 'cannot listen on a healthCheckNodePort; trying again');
      const why = error instanceof Error ? error.message : String(error);
      onBindFailure(namespace, service, `healthCheckNodePort ${String(port)} cannot be listened on: ${why}`);
    }
    entry.cancelRetry = clock.after(
      RETRY,
      () => {
        if (entry.isWanted && !this.#stopped) this.#open(entry);
      },
      true,
    );
  }
}

function entryOf({ namespace, service }: ServicePort, port: number): Entry {
  return {
    ...{ namespace, service, port, planned: 0, inForce: 0, isWanted: true, servers: [] },
    state: 'new',
    cancelRetry: () => undefined,
  };
}

function close(entry: Entry): void {
  entry.cancelRetry();
  entry.isWanted = false;
  for (const server of entry.servers) server.close();
  entry.servers = [];
  entry.state = 'closed';
}

/** Less is told at once, more only when it is in force. */
export function answerHealthCheck(
  entry: Pick<Entry, 'namespace' | 'service' | 'planned' | 'inForce'>,
  isHealthy: boolean,
): HttpAnswer {
  const localEndpoints = Math.min(entry.planned, entry.inForce);
  const body = {
    service: { namespace: entry.namespace, name: entry.service },
    localEndpoints,
    serviceProxyHealthy: isHealthy,
  };
  return {
    status: localEndpoints > 0 && isHealthy ? 200 : 503,
    type: 'application/json',
    body: JSON.stringify(body),
    headers: { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) },
  };
}
