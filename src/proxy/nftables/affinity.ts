/** Who is remembered, and whether that still holds: entries for endpoints that went away must go at once (trap T18). */
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp, type Family } from '../../lib/ip.ts';
import type { Endpoint, Plan, ServicePort } from '../plan/types.ts';
import { HASH_SEEDS } from './affinity-rules.ts';
import { addressBytes, addressText, addressWidth, numberBytes, portBytes } from './bytes.ts';
import type { Owner } from './claims.ts';
import type { Frontend } from './frontends.ts';
import { jhash } from './jhash.ts';

export interface AffinityEntry {
  /** Of @affinity, in bytes. */
  readonly key: string;
  /** Bytes of address and port. */
  readonly endpoint: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly expires: number;
}

/** The rest of an entry's key behind its client, or the end of it: what it has in common with the key of a frontend. */
function partOf(frontend: string, family: Family): string {
  if (family === 'IPv4') return frontend;
  const width = frontend.length - 8;
  const port = hash(frontend.slice(width), 3);
  if (width === 0) return port;
  const address = frontend.slice(0, width);
  return hash(address, 1) + hash(address, 2) + port;
}

const hash = (bytes: string, at: number): string => numberBytes(jhash(bytes, HASH_SEEDS[at] ?? 0));

/** Tells which entries hold, of those for some frontends. */
export class AffinityJudge {
  readonly #plan: Pick<Plan, 'options' | 'node'>;
  readonly #owners = new Map<string, Owner | undefined>();
  readonly #isWhole: boolean;

  /** `isWhole`: the frontends are all there are, so an entry for any other does not hold. */
  constructor(plan: Pick<Plan, 'options' | 'node'>, isWhole: boolean) {
    this.#plan = plan;
    this.#isWhole = isWhole;
  }

  /** Those without affinity, and those nobody owns any more, count too. */
  add({ key }: Pick<Frontend, 'key'>, owner: Owner | undefined): void {
    this.#owners.set(partOf(key, this.#plan.options.family), owner);
  }

  get isEmpty(): boolean {
    return this.#owners.size === 0 && !this.#isWhole;
  }

  holds({ key, endpoint }: AffinityEntry): boolean {
    const { family } = this.#plan.options;
    const width = family === 'IPv6' ? 4 : addressWidth(family);
    // behind the client comes an address in bytes or in two hashes
    const whole = key.slice(width);
    const port = key.slice(family === 'IPv6' ? 12 : 8);
    const part = this.#owners.has(whole) ? whole : port;
    if (!this.#owners.has(part)) return !this.#isWhole;
    const owner = this.#owners.get(part);
    if (owner?.service.affinitySeconds === undefined) return false;
    const client = family === 'IPv6' ? undefined : addressText(key.slice(0, width));
    return this.#pools(owner, client).some((pool) => pool.some((one) => isSame(one, endpoint)));
  }

  /** What the client may have been given an endpoint of. */
  #pools({ kind, service }: Owner, client: string | undefined): readonly (readonly Endpoint[])[] {
    const { clusterEndpoints, localEndpoints } = service;
    if (kind === 'clusterIP') return [service.internalPolicy === 'Local' ? localEndpoints : clusterEndpoints];
    if (service.externalPolicy === 'Cluster') return [clusterEndpoints];
    const inside = client === undefined ? undefined : this.#isInside(client);
    if (inside === undefined) return [clusterEndpoints, localEndpoints];
    return [inside ? clusterEndpoints : localEndpoints];
  }

  /** Pods and the node itself; undefined: not to be told from the address. */
  #isInside(client: string): boolean | undefined {
    const { node, options } = this.#plan;
    if (node.ips.includes(client)) return true;
    if (options.detectLocal.by === 'interface') return undefined;
    if (options.detectLocal.by === 'nothing') return false;
    const [cidr, ip] = [parseCidr(options.detectLocal.cidr), parseIp(client)];
    return cidr !== undefined && ip !== undefined && cidrContains(cidr, ip);
  }
}

const isSame = (one: Endpoint, bytes: string): boolean => addressBytes(one.ip) + portBytes(one.port) === bytes;

/** Whether clients of it are remembered. */
export const hasAffinity = (service: ServicePort): boolean => service.affinitySeconds !== undefined;
