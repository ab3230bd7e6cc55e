/** One node port on loopback: tries to listen until it can, and serves whoever has the port. */
import type { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { joinHostPort, type Family } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';
import type { ServicePort } from '../plan/types.ts';
import { Affinity } from './affinity.ts';
import { Balancer } from './balancer.ts';
import type { Relay, RelayCounters, RelayParts } from './relay.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

export interface LoopbackContext {
  readonly family: Family;
  readonly log: Log;
  readonly clock: Clock;
  readonly udpIdleTimeout: number;
  readonly random: () => number;
  readonly backoff: Backoff;
  readonly counters: RelayCounters;
}

export class LoopbackPort {
  /** The attempt to listen under way. */
  opening: Promise<void> = Promise.resolve();
  readonly #context: LoopbackContext;
  readonly #key: string;
  readonly #balancer: Balancer;
  #service: ServicePort;
  #state: 'new' | 'opening' | 'listening' | 'waiting' | 'closed' = 'new';
  #relay: Relay | undefined;
  #cancel: () => void = () => undefined;

  constructor(context: LoopbackContext, service: ServicePort) {
    this.#context = context;
    this.#service = service;
    this.#key = `${service.protocol} ${String(service.nodePort)}`;
    this.#balancer = new Balancer(context.random);
  }

  get isListening(): boolean {
    return this.#state === 'listening';
  }

  /** Whoever has the port now, and its endpoints. */
  set(service: ServicePort): void {
    this.#service = service;
    this.#balancer.affinity = Affinity.for(service.affinitySeconds, this.#balancer.affinity);
    this.#balancer.set(service.clusterEndpoints);
    this.#relay?.keepOnly(service.servingAddresses);
    if (this.#state === 'new') this.#open();
  }

  /** Established connections go on to their end. */
  close(): void {
    this.#end((relay) => void relay.close());
  }

  destroy(): void {
    this.#end((relay) => {
      relay.destroy();
    });
  }

  #end(how: (relay: Relay) => void): void {
    this.#cancel();
    this.#context.backoff.reset(this.#key);
    if (this.#relay) how(this.#relay);
    this.#relay = undefined;
    this.#state = 'closed';
  }

  #open(): void {
    this.#state = 'opening';
    const { family, log, udpIdleTimeout, counters, clock, backoff } = this.#context;
    const { name, protocol, nodePort = 0 } = this.#service;
    const parts: RelayParts = { family, counters, log, udpIdleTimeout };
    const relay = new (protocol === 'UDP' ? UdpRelay : TcpRelay)(parts, name, this.#balancer);
    const host = family === 'IPv6' ? '::1' : '127.0.0.1';
    this.opening = relay.listen(host, nodePort).then(
      () => {
        backoff.reset(this.#key);
        if (this.#state === 'closed') return relay.close();
        this.#relay = relay;
        this.#state = 'listening';
        return undefined;
      },
      (error: unknown) => {
        relay.destroy();
        if (this.#state === 'closed') return;
        this.#state = 'waiting';
        const { code } = error as NodeJS.ErrnoException;
        const isFirst = backoff.failures(this.#key) === 0;
        const where = `${joinHostPort(host, nodePort)}/${protocol}`;
        const say = isFirst ? log.warn.bind(log) : log.debug.bind(log);
        say({ service: name, code }, `node port cannot be served on ${where}; will try again`);
        this.#cancel = clock.after(
          backoff.next(this.#key),
          () => {
            this.#open();
          },
          true,
        );
      },
    );
  }
}
