/**
 * Shares out cluster IPs (features 1-095 to 1-111). An address is taken when its IPAddress object exists or a commit that makes it is
 * under way; so nothing leaks, whatever goes wrong in between, and after a restart the state is simply there.
 */
import { apiVersionOf, IP_ADDRESSES, SERVICE_CIDRS } from '../../api/kinds.ts';
import type { IPAddress, Service, ServiceCIDR } from '../../api/types.ts';
import { addressAt, cidrContains, cidrSize, formatCidr, parseCidr, type Cidr } from '../../lib/cidr.ts';
import { timestamp } from '../../lib/clock.ts';
import { formatIp, parseIp, type Family } from '../../lib/ip.ts';
import type { Operation } from '../../store/store.ts';
import { encodeStored } from '../entry.ts';
import { keyOf, prefixOf } from '../keys.ts';
import type { Clock } from '../../lib/clock.ts';
import type { WatchCache } from '../watch-cache.ts';
import { addressBand, pickFree } from './bands.ts';
import { Counts } from './counts.ts';

export interface ClusterIpTools {
  readonly cache: WatchCache;
  readonly clock: Clock;
  random(below: number): number;
  newUid(): string;
}

/** Why an address was not given; the message goes behind the field's name. */
export class AllocationError extends Error {
  /** The range has no free address left: a 500, not the client's fault (feature 1-102). */
  readonly full: boolean;
  constructor(message: string, full = false) {
    super(message);
    this.full = full;
  }
}

/** Beyond this many addresses in a range a random one is as good as free, and a full scan is out of the question (IPv6). */
const LARGEST = 2 ** 32;

export class ClusterIps {
  readonly #tools: ClusterIpTools;
  /** Ranges of the flags, the default family's first: what holds until ServiceCIDR objects are there. */
  readonly #configured: readonly Cidr[];
  readonly #pending = new Set<string>();
  readonly given = new Counts();
  readonly refused = new Counts();

  constructor(configured: readonly Cidr[], tools: ClusterIpTools) {
    this.#configured = configured;
    this.#tools = tools;
  }

  /** Ranges of the flags. */
  get configured(): readonly Cidr[] {
    return this.#configured;
  }

  /** Of the cluster, the default first. */
  get families(): readonly Family[] {
    return this.#configured.map(({ family }) => family);
  }

  /** Takes `asked`, or any free address of the family. Throws AllocationError. */
  allocate(family: Family, asked: string | undefined): string {
    const ranges = this.ranges(family);
    const scope = asked === undefined ? 'dynamic' : 'static';
    try {
      const [address, range] = asked === undefined ? this.#pickAny(ranges) : this.#take(asked, ranges);
      this.#pending.add(address);
      this.given.add(formatCidr(range), scope);
      return address;
    } catch (error) {
      const [first] = ranges;
      if (first) this.refused.add(formatCidr(first), scope);
      throw error;
    }
  }

  /** Only what a dry run needs to know (feature 1-103): the base address stands for "some address". */
  dryAllocate(family: Family, asked: string | undefined): string {
    const ranges = this.ranges(family);
    const [range] = ranges;
    if (asked !== undefined) return this.#check(asked, ranges)[0];
    if (!range) throw new AllocationError('range is full', true);
    return formatIp(addressAt(range, 0n));
  }

  /** The commit was tried; if it succeeded the IPAddress object speaks for itself once it is in the cache. */
  settle(addresses: Iterable<string>): void {
    for (const address of addresses) this.#pending.delete(address);
  }

  /** In the transaction of the Service (feature 1-105). `instead`: the revision of a claim this one replaces; 0: there is none. */
  claim(address: string, service: Service, instead = 0): Operation {
    const object: IPAddress = {
      kind: 'IPAddress',
      apiVersion: apiVersionOf(IP_ADDRESSES),
      metadata: {
        name: address,
        uid: this.#tools.newUid(),
        creationTimestamp: timestamp(this.#tools.clock.now()),
        labels: {
          'ipaddress.kubernetes.io/ip-family': parseIp(address)?.family ?? 'IPv4',
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: {
        parentRef: {
          group: '',
          resource: 'services',
          namespace: service.metadata.namespace ?? '',
          name: service.metadata.name,
        },
      },
    };
    const key = keyOf(IP_ADDRESSES, undefined, address);
    return { type: 'put', key, value: encodeStored(IP_ADDRESSES, object), expect: instead };
  }

  release(address: string): Operation {
    return { type: 'delete', key: keyOf(IP_ADDRESSES, undefined, address) };
  }

  /** Addresses taken and free, for /metrics. */
  usage(): { cidr: string; allocated: number; available: number }[] {
    const claims = this.#tools.cache.of(IP_ADDRESSES).range(prefixOf(IP_ADDRESSES));
    const addresses = claims.flatMap(({ object }) => parseIp(object.metadata.name) ?? []);
    const ranges = this.families.flatMap((family) => this.ranges(family));
    return ranges.map((range) => {
      const allocated = addresses.filter((ip) => cidrContains(range, ip)).length;
      return { cidr: formatCidr(range), allocated, available: Math.max(usable(range).size - allocated, 0) };
    });
  }

  #take(asked: string, ranges: readonly Cidr[]): [address: string, range: Cidr] {
    const [address, range] = this.#check(asked, ranges);
    if (this.#isTaken(address)) {
      throw new AllocationError(`failed to allocate IP ${asked}: provided IP is already allocated`);
    }
    return [address, range];
  }

  #check(asked: string, ranges: readonly Cidr[]): [address: string, range: Cidr] {
    const ip = parseIp(asked);
    const range = ip && ranges.find((each) => isUsable(each, ip.value));
    if (range) return [formatIp(ip), range];
    const valid = ranges.map(formatCidr).join(', ');
    throw new AllocationError(
      `failed to allocate IP ${asked}: the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${valid}`,
    );
  }

  #pickAny(ranges: readonly Cidr[]): [address: string, range: Cidr] {
    for (const range of ranges) {
      const address = this.#pick(range);
      if (address !== undefined) return [address, range];
    }
    throw new AllocationError('range is full', true);
  }

  #pick(range: Cidr): string | undefined {
    const { first, size } = usable(range);
    const at = (offset: number) => formatIp(addressAt(range, BigInt(first + offset)));
    const offset = pickFree(addressBand(size), (each) => this.#isTaken(at(each)), this.#tools.random);
    return offset === undefined ? undefined : at(offset);
  }

  #isTaken(address: string): boolean {
    return (
      this.#pending.has(address) ||
      this.#tools.cache.of(IP_ADDRESSES).get(keyOf(IP_ADDRESSES, undefined, address)) !== undefined
    );
  }

  /** Ready ServiceCIDRs (feature 1-110), else those of the flags. */
  ranges(family: Family): Cidr[] {
    const ready = this.#tools.cache
      .of(SERVICE_CIDRS)
      .range(prefixOf(SERVICE_CIDRS))
      .map((entry) => entry.object as ServiceCIDR)
      .filter(isReady)
      .flatMap(({ spec }) => (spec.cidrs ?? []).map(parseCidr))
      .filter((range) => range?.family === family) as Cidr[];
    return ready.length > 0 ? ready : this.#configured.filter((range) => range.family === family);
  }
}

function isReady({ metadata, status }: ServiceCIDR): boolean {
  // Until its condition has been written a range counts as usable, as in Kubernetes.
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return metadata.deletionTimestamp === undefined && (ready === undefined || ready.status === 'True');
}

/** Without the network's own address, and for IPv4 without the broadcast address (feature 1-097). */
function usable(range: Cidr): { first: number; size: number } {
  const all = cidrSize(range);
  const size = all > BigInt(LARGEST) ? LARGEST : Number(all);
  return { first: 1, size: Math.max(size - (range.family === 'IPv4' ? 2 : 1), 0) };
}

function isUsable(range: Cidr, value: bigint): boolean {
  if (!cidrContains(range, { family: range.family, value })) return false;
  const offset = value - range.base;
  return offset > 0n && (range.family === 'IPv6' || offset < cidrSize(range) - 1n);
}
