import { cidrSize, parseCidr } from '../lib/cidr.ts';
import { parseIp, type Family, type Ip } from '../lib/ip.ts';

interface Range {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** Which addresses lie in the ranges that rules name. Rules are followed for many packets: each text is read once. */
export class Addresses {
  readonly #ips = new Map<string, Ip | undefined>();
  readonly #ranges = new Map<string, Range | undefined>();

  /** `range` as rules spell it: an address, a CIDR, or `first-last`. What is neither contains nothing but itself. */
  contains(range: string, address: string): boolean {
    if (range === address) return true;
    const ip = read(this.#ips, address, parseIp);
    const within = read(this.#ranges, range, parseRange);
    if (!ip || within?.family !== ip.family) return false;
    return within.first <= ip.value && ip.value <= within.last;
  }

  /** 127.0.0.0/8 and ::1 are local wherever a packet is. */
  isLoopback(address: string): boolean {
    return address === '::1' || this.contains('127.0.0.0/8', address);
  }
}

function read<T>(known: Map<string, T>, text: string, parse: (text: string) => T): T {
  const found = known.get(text);
  if (found !== undefined || known.has(text)) return found as T;
  const value = parse(text);
  known.set(text, value);
  return value;
}

function parseRange(text: string): Range | undefined {
  const cidr = parseCidr(text);
  if (cidr) return { family: cidr.family, first: cidr.base, last: cidr.base + cidrSize(cidr) - 1n };
  const [from = '', to = from] = text.split('-');
  const [first, last] = [parseIp(from), parseIp(to)];
  return first && first.family === last?.family
    ? { family: first.family, first: first.value, last: last.value }
    : undefined;
}
