/**
 * Shares out node ports (features 1-120 to 1-126): one number space whatever the protocol, health check ports included. What is
 * taken follows from the Services themselves, so there is nothing that could leak or need repair.
 */
import { SERVICES } from '../../api/kinds.ts';
import { needsNodePorts } from '../../api/service-changes.ts';
import type { Service } from '../../api/types.ts';
import { prefixOf } from '../keys.ts';
import type { CacheEvent } from '../kind-cache.ts';
import type { WatchCache } from '../watch-cache.ts';
import { pickFree, portBand } from './bands.ts';
import { AllocationError } from './cluster-ips.ts';
import { Counts } from './counts.ts';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `30000-32767`, both included. Undefined: not a range. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  return match && first >= 1 && first <= last && last <= 65535 ? { first, last } : undefined;
}

/** Every node port a Service holds, the health check's included; each once. */
export function nodePortsOf(service: Service): Set<number> {
  const { spec } = service;
  // Kubernetes lets an ExternalName name numbers too: it has none for that, and brings none along when its type changes.
  if (!needsNodePorts(service)) return new Set();
  const all = [...(spec.ports ?? []).map((port) => port.nodePort ?? 0), spec.healthCheckNodePort ?? 0];
  return new Set(all.filter((port) => port !== 0));
}

export class NodePorts {
  readonly #range: PortRange;
  readonly #random: (below: number) => number;
  /** Number -> the stored Services that hold it; more than one only after foreign writes to the store. */
  readonly #held = new Map<number, Set<string>>();
  readonly #pending = new Set<number>();
  readonly given = new Counts();
  readonly refused = new Counts();

  constructor(range: PortRange, cache: WatchCache, random: (below: number) => number) {
    this.#range = range;
    this.#random = random;
    const services = cache.of(SERVICES);
    for (const entry of services.range(prefixOf(SERVICES))) this.#hold(entry.object as Service);
    services.listeners.add((event) => {
      this.#follow(event);
    });
  }

  /** Takes `asked`, or any free one where it is 0. Throws AllocationError. */
  allocate(asked: number): number {
    const scope = asked === 0 ? 'dynamic' : 'static';
    try {
      const port = this.#take(asked);
      this.given.add('', scope);
      return port;
    } catch (error) {
      this.refused.add('', scope);
      throw error;
    }
  }

  #take(asked: number): number {
    const port = asked === 0 ? this.#pick() : this.check(asked);
    const [owner] = this.#held.get(port) ?? [];
    // Kubernetes does not say by whom, and people then search all namespaces.
    if (owner !== undefined) throw new AllocationError(`provided port is already allocated to Service ${owner}`);
    if (this.#isTaken(port)) throw new AllocationError('provided port is already allocated');
    this.#pending.add(port);
    return port;
  }

  /** Throws AllocationError for a number outside the range. */
  check(asked: number): number {
    const { first, last } = this.#range;
    if (asked >= first && asked <= last) return asked;
    throw new AllocationError(
      `provided port is not in the valid range. The range of valid ports is ${String(first)}-${String(last)}`,
    );
  }

  settle(ports: Iterable<number>): void {
    for (const port of ports) this.#pending.delete(port);
  }

  usage(): { allocated: number; available: number } {
    const size = this.#range.last - this.#range.first + 1;
    return { allocated: this.#held.size, available: size - this.#held.size };
  }

  #pick(): number {
    const { first, last } = this.#range;
    const band = portBand(last - first + 1);
    const offset = pickFree(band, (each) => this.#isTaken(first + each), this.#random);
    if (offset === undefined) throw new AllocationError('range is full', true);
    return first + offset;
  }

  #isTaken(port: number): boolean {
    return this.#held.has(port) || this.#pending.has(port);
  }

  #follow({ type, entry, previous }: CacheEvent): void {
    if (previous) this.#giveBack(previous.object as Service);
    if (type === 'put') this.#hold(entry.object as Service);
  }

  #hold(service: Service): void {
    for (const port of nodePortsOf(service)) {
      const holders = this.#held.get(port) ?? new Set();
      this.#held.set(port, holders.add(nameOf(service)));
    }
  }

  #giveBack(service: Service): void {
    for (const port of nodePortsOf(service)) {
      const holders = this.#held.get(port);
      holders?.delete(nameOf(service));
      if (holders?.size === 0) this.#held.delete(port);
    }
  }
}

const nameOf = ({ metadata }: Service) => `${metadata.namespace ?? ''}/${metadata.name}`;
