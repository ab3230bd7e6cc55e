/** Address ranges in CIDR notation (RFC 4632). */
import { formatIp, parseIp, type Family, type Ip } from './ip.ts';

export interface Cidr {
  readonly family: Family;
  /** First address: host bits are zero. */
  readonly base: bigint;
  /** Length of the prefix. */
  readonly bits: number;
}

const width = (family: Family): number => (family === 'IPv4' ? 32 : 128);

/** Strict: undefined also where host bits are set (`10.0.0.1/8`), because then the text does not say what was meant. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const ip = parseIp(address);
  if (!ip || length === undefined || rest.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits > width(ip.family)) return undefined;
  const cidr = { family: ip.family, base: ip.value, bits };
  return ip.value % cidrSize(cidr) === 0n ? cidr : undefined;
}

/** Host bits are forgiven, as Kubernetes forgives them in its own fields: `10.1.2.3/8` is 10.0.0.0/8. */
export function parseNetwork(text: string): Cidr | undefined {
  const [address = '', length = ''] = text.split('/');
  const ip = parseIp(address);
  if (!ip || text !== `${address}/${length}` || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits > width(ip.family)) return undefined;
  const size = 1n << BigInt(width(ip.family) - bits);
  return { family: ip.family, base: ip.value - (ip.value % size), bits };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.base })}/${String(cidr.bits)}`;
}

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  return ip.family === cidr.family && ip.value >= cidr.base && ip.value < cidr.base + cidrSize(cidr);
}

/** Number of addresses, the first and last included. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(width(cidr.family) - cidr.bits);
}

/** The address `offset` behind the first. Throws RangeError outside the range: our own mistake. */
export function addressAt(cidr: Cidr, offset: bigint): Ip {
  if (offset < 0n || offset >= cidrSize(cidr)) {
    throw new RangeError(`offset ${String(offset)} is outside ${formatCidr(cidr)}`);
  }
  return { family: cidr.family, value: cidr.base + offset };
}
