/**
 * Node ports on loopback where no rule takes them there (trap T27): listens on 127.0.0.1 or ::1 for every node port that has endpoints,
 * and takes turns over the Cluster pool. Follows the Plan of one address family, in every mode; what it costs follows what changed.
 */
import { Backoff } from '../../lib/backoff.ts';
import { realClock, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { PlanFollower, PlanUpdate, ServicePort } from '../plan/types.ts';
import { compareText } from '../plan/order.ts';
import { LoopbackPort, type LoopbackContext } from './loopback-port.ts';
import { RelayCounters } from './relay.ts';

export interface LoopbackOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** ms a UDP client may be silent before its way is forgotten; default 250 (3-135). */
  readonly udpIdleTimeout?: number;
  /** Default Math.random. */
  readonly random?: () => number;
}

export class LoopbackRelays implements PlanFollower {
  readonly counters = new RelayCounters();
  #context: LoopbackContext;
  /** `PROTOCOL PORT` -> who has it, by name: node ports are given once, but two Services are seen with one between two events. */
  readonly #claims = new Map<string, Map<string, ServicePort>>();
  readonly #ports = new Map<string, LoopbackPort>();
  /** Of the Plan: they change only with all of it. */
  #isWanted = false;

  constructor({ log, clock = realClock, udpIdleTimeout = 250, random = Math.random }: LoopbackOptions) {
    const backoff = new Backoff({ initial: 1000, max: 30_000 });
    this.#context = { family: 'IPv4', log, clock, udpIdleTimeout, random, backoff, counters: this.counters };
  }

  follow(update: PlanUpdate): void {
    const touched = new Set<string>();
    if (update.changed === undefined) {
      for (const key of this.#claims.keys()) touched.add(key);
      this.#claims.clear();
      this.#context = { ...this.#context, family: update.plan.options.family };
      this.#isWanted = update.plan.localhostNodePorts === 'relay';
      for (const service of update.plan.servicePorts) this.#claim(service, touched);
    } else {
      for (const { before, after } of update.changed.values()) {
        for (const service of before) this.#release(service, touched);
        for (const service of after) this.#claim(service, touched);
      }
    }
    for (const key of touched) this.#settle(key);
  }

  /** Ports something listens on. */
  get size(): number {
    return [...this.#ports.values()].filter((one) => one.isListening).length;
  }

  /** Resolves when every attempt to listen that is under way has ended, one way or the other. */
  async settled(): Promise<void> {
    await Promise.all([...this.#ports.values()].map((one) => one.opening));
  }

  /** Ends all connections. */
  stop(): Promise<void> {
    for (const port of this.#ports.values()) port.destroy();
    this.#ports.clear();
    this.#claims.clear();
    return Promise.resolve();
  }

  #claim(service: ServicePort, touched: Set<string>): void {
    const key = keyOf(service);
    if (key === undefined || !this.#isWanted) return;
    const claims = this.#claims.get(key) ?? new Map<string, ServicePort>();
    this.#claims.set(key, claims.set(service.name, service));
    touched.add(key);
  }

  #release(service: ServicePort, touched: Set<string>): void {
    const key = keyOf(service);
    const claims = key === undefined ? undefined : this.#claims.get(key);
    if (key === undefined || !claims) return;
    claims.delete(service.name);
    if (claims.size === 0) this.#claims.delete(key);
    touched.add(key);
  }

  #settle(key: string): void {
    const [service] = [...(this.#claims.get(key)?.values() ?? [])].sort((a, b) => compareText(a.name, b.name));
    let port = this.#ports.get(key);
    if (!service || service.clusterEndpoints.length === 0) {
      port?.close();
      this.#ports.delete(key);
      return;
    }
    if (!port) this.#ports.set(key, (port = new LoopbackPort(this.#context, service)));
    port.set(service);
  }
}

const keyOf = ({ nodePort, protocol }: ServicePort): string | undefined =>
  // there are no sockets for SCTP
  nodePort === undefined || protocol === 'SCTP' ? undefined : `${protocol} ${String(nodePort)}`;
