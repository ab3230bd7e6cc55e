/** Whose turn it is: round robin over the endpoints of one pool, in an order drawn anew whenever they change (3-132). */
import type { Endpoint } from '../plan/types.ts';
import type { Affinity } from './affinity.ts';

export type Target = Pick<Endpoint, 'ip' | 'port' | 'address'>;

export class Balancer {
  /** Of the Service port as it is now; undefined: each connection has its turn. */
  affinity: Affinity | undefined;
  readonly #random: () => number;
  /** Those that were told, and the same in the order of their turns. */
  #told: readonly Target[] = [];
  #endpoints: readonly Target[] = [];
  #at = -1;

  /** `random` gives numbers from 0 up to 1. */
  constructor(random: () => number, affinity?: Affinity) {
    this.#random = random;
    this.affinity = affinity;
  }

  /** In the order of their turns. */
  get endpoints(): readonly Target[] {
    return this.#endpoints;
  }

  /** True when they are not those it has. */
  set(endpoints: readonly Target[]): boolean {
    // most often the Plan has the very same
    if (endpoints === this.#told) return false;
    this.#told = endpoints;
    const has = new Set(this.#endpoints.map((one) => one.address));
    if (has.size === endpoints.length && endpoints.every((one) => has.has(one.address))) return false;
    this.#endpoints = shuffled(endpoints, this.#random);
    this.#at = -1;
    return true;
  }

  /** The endpoint for a new connection; `isRetry`: the one the client was given does not answer (3-133, 3-134). undefined: there is none. */
  next(client: string, isRetry = false): Target | undefined {
    if (!this.affinity) return this.#turn();
    const given = isRetry ? undefined : this.affinity.endpointOf(client);
    const known = given === undefined ? undefined : this.#endpoints.find((one) => one.address === given);
    const endpoint = known ?? this.#turn();
    if (endpoint) this.affinity.remember(client, endpoint.address);
    return endpoint;
  }

  #turn(): Target | undefined {
    this.#at = this.#at + 1 >= this.#endpoints.length ? 0 : this.#at + 1;
    return this.#endpoints[this.#at];
  }
}

function shuffled<T>(some: readonly T[], random: () => number): readonly T[] {
  const all = [...some];
  for (let at = all.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [all[at], all[other]] = [all[other] as T, all[at] as T];
  }
  return all;
}
