/** The relays of a proxy: one for each Service port and pool, listening on a port of its own as long as the Service port exists. */
import { setTimeout } from 'node:timers/promises';
import type { Family } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';
import type { PlanProblem, Protocol, ServicePort, TrafficPolicy } from '../plan/types.ts';
import { Affinity } from './affinity.ts';
import { Balancer } from './balancer.ts';
import { ProxyPorts, type PortRange } from './proxy-ports.ts';
import { relayKey, relaysOf, type RelaySpec } from './relay-spec.ts';
import { RelayCounters, type Relay, type RelayParts } from './relay.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

export interface RelaySetOptions {
  readonly family: Family;
  readonly log: Log;
  readonly range: PortRange;
  readonly udpIdleTimeout: number;
  /** Relays beyond these are refused: each holds a socket, and so does each end of a connection. Default: any number. */
  readonly mostRelays?: number;
  /** Default Math.random. */
  readonly random?: () => number;
  /** The socket an older proxy left on a port it had. */
  readonly takeSocket?: ((protocol: Protocol, port: number) => number | undefined) | undefined;
}

/** Ports tried for one relay before it is given up. */
const MOST_TRIES = 20;

export class RelaySet {
  readonly counters = new RelayCounters();
  /** Grows with every relay that comes or goes. */
  version = 0;
  readonly #parts: RelayParts;
  readonly #options: RelaySetOptions;
  readonly #ports: Readonly<Record<Protocol, ProxyPorts>>;
  readonly #relays = new Map<string, Relay>();
  /** Relays about to listen. */
  #opening = 0;
  /** Those whose Service is gone and whose rules may still be there. */
  #gone: Relay[] = [];
  /** Closed, with connections that may still go on. */
  #draining: Relay[] = [];
  /** Service port -> who was given which endpoint, of those with affinity. */
  readonly #affinities = new Map<string, Affinity>();
  readonly #refused = new Map<string, PlanProblem>();

  constructor(options: RelaySetOptions) {
    const { range } = options;
    const { family, log, udpIdleTimeout } = options;
    this.#options = options;
    this.#parts = { family, log, udpIdleTimeout, counters: this.counters };
    this.#ports = { TCP: new ProxyPorts(range), UDP: new ProxyPorts(range), SCTP: new ProxyPorts(range) };
  }

  /** Ports none of whose relays could listen. */
  get refused(): readonly PlanProblem[] {
    return [...this.#refused.values()];
  }

  get size(): number {
    return this.#relays.size;
  }

  portOf = (service: ServicePort, pool: TrafficPolicy): number | undefined => {
    const key = relayKey(service, pool);
    return this.#relays.has(key) ? this.#ports[service.protocol].portOf(key) : undefined;
  };

  /** `ip:port` of those that take turns behind a relay, sorted; undefined: there is no such relay. */
  endpointsOf(service: ServicePort, pool: TrafficPolicy): readonly string[] | undefined {
    const relay = this.#relays.get(relayKey(service, pool));
    return relay?.balancer.endpoints.map((one) => one.address).sort();
  }

  /** Every port some relay listens on, by protocol. */
  isProxyPort(protocol: Protocol, port: number): boolean {
    return this.#ports[protocol].isTaken(port);
  }

  /** `before`: relay key -> the port an older proxy had. In force when it resolves; what cannot be is in `refused`. */
  async set(after: readonly ServicePort[], before: readonly ServicePort[], oldPorts: ReadonlyMap<string, number>) {
    const wanted = new Map(after.flatMap(relaysOf).map((one) => [one.key, one]));
    for (const { key, service } of before.flatMap(relaysOf)) if (!wanted.has(key)) this.#remove(key, service);
    const added: RelaySpec[] = [];
    for (const spec of wanted.values()) {
      const relay = this.#relays.get(spec.key);
      if (relay) this.#update(relay, spec);
      else added.push(spec);
    }
    // all ports are chosen before any is tried, so that old ones go to whom they belong
    for (const spec of added) this.#ports[spec.service.protocol].choose(spec.key, undefined, oldPorts.get(spec.key));
    await Promise.all(added.map((spec) => this.#add(spec, oldPorts.get(spec.key))));
  }

  /** After the rules that led to them are gone: established connections go on. */
  async closeGone(): Promise<void> {
    const gone = this.#gone;
    this.#gone = [];
    this.#draining = [...this.#draining.filter((relay) => relay.size > 0), ...gone];
    await Promise.all(gone.map((relay) => relay.close()));
  }

  /** Takes nothing new, and ends what has not ended by itself in `patience` ms: a next proxy may listen already. */
  async stop(patience: number): Promise<void> {
    const end = performance.now() + patience;
    const all = [...this.#relays.values(), ...this.#gone, ...this.#draining];
    this.#relays.clear();
    this.#gone = [];
    this.#draining = [];
    await Promise.all(all.map((relay) => relay.handOver()));
    while (all.some((relay) => relay.size > 0) && performance.now() < end) await setTimeout(5);
    for (const relay of all) relay.destroy();
  }

  #update(relay: Relay, { service, pool, endpoints }: RelaySpec): void {
    relay.balancer.affinity = this.#affinityOf(service);
    if (relay.balancer.set(endpoints)) this.#say(service, pool, endpoints);
    relay.keepOnly(service.servingAddresses);
  }

  #say({ name }: ServicePort, pool: TrafficPolicy, endpoints: RelaySpec['endpoints']): void {
    const text = endpoints.map((one) => one.address).join(' ');
    const here = pool === 'Local' ? ' on this node' : '';
    this.#options.log.info({ pool }, `Setting endpoints for ${name}${here} to [${text}]`);
  }

  async #add(spec: RelaySpec, before: number | undefined): Promise<void> {
    const { mostRelays = Infinity } = this.#options;
    if (this.#relays.size + this.#opening >= mostRelays) {
      this.#refuse(spec, `the limit of open files leaves room for ${String(mostRelays)} relays; raise it (ulimit -Hn)`);
      return;
    }
    this.#opening++;
    try {
      await this.#open(spec, before);
    } finally {
      this.#opening--;
    }
  }

  async #open(spec: RelaySpec, before: number | undefined): Promise<void> {
    const { key, service } = spec;
    const ports = this.#ports[service.protocol];
    const host = this.#options.family === 'IPv6' ? '::' : '0.0.0.0';
    const unusable = new Set<number>();
    let problem = 'there is no proxy port left';
    for (let port = ports.portOf(key); port !== undefined && unusable.size < MOST_TRIES;) {
      const relay = this.#make(service);
      try {
        // what waits there came for this Service port and for no other
        const fd = port === before ? this.#options.takeSocket?.(service.protocol, port) : undefined;
        await relay.listen(host, port, fd);
        this.#relays.set(key, relay);
        this.version++;
        this.#refused.delete(key);
        this.#update(relay, spec);
        return;
      } catch (error) {
        relay.destroy();
        problem = `no relay can listen on port ${String(port)}: ${String((error as NodeJS.ErrnoException).code)}`;
        unusable.add(port);
        port = ports.choose(key, unusable);
      }
    }
    this.#refuse(spec, problem);
  }

  #refuse({ key, service }: RelaySpec, problem: string): void {
    this.#ports[service.protocol].release(key);
    const message = `port ${service.name} (${service.protocol}): ${problem}`;
    this.#refused.set(key, { namespace: service.namespace, service: service.service, message });
  }

  #make({ name, protocol }: ServicePort): Relay {
    const balancer = new Balancer(this.#options.random ?? Math.random);
    return new (protocol === 'UDP' ? UdpRelay : TcpRelay)(this.#parts, name, balancer);
  }

  #affinityOf({ name, protocol, affinitySeconds }: ServicePort): Affinity | undefined {
    if (affinitySeconds === undefined && this.#affinities.size === 0) return undefined;
    const key = `${name} ${protocol}`;
    const affinity = Affinity.for(affinitySeconds, this.#affinities.get(key));
    if (affinity) this.#affinities.set(key, affinity);
    else this.#affinities.delete(key);
    return affinity;
  }

  #remove(key: string, service: ServicePort): void {
    const relay = this.#relays.get(key);
    if (this.#relays.delete(key)) this.version++;
    this.#refused.delete(key);
    this.#ports[service.protocol].release(key);
    if (relay) this.#gone.push(relay);
    const other = relayKey(service, key === relayKey(service, 'Local') ? 'Cluster' : 'Local');
    if (!this.#relays.has(other)) this.#affinities.delete(`${service.name} ${service.protocol}`);
  }
}
