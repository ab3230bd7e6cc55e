/** Addresses as names below in-addr.arpa and ip6.arpa (RFC 1035, 3.5; RFC 3596, 2.5). Pure. */
import { parseIp, type Ip } from '../../lib/ip.ts';
import { labelsOf } from './domain-name.ts';

export function reverseName({ family, value }: Ip): string {
  if (family === 'IPv4') {
    const bytes = [0n, 8n, 16n, 24n].map((shift) => String((value >> shift) & 255n));
    return [...bytes, 'in-addr.arpa.'].join('.');
  }
  return [...[...value.toString(16).padStart(32, '0')].reverse(), 'ip6.arpa.'].join('.');
}

/** The address that a whole reverse name stands for; undefined for any other name. */
export function addressOfReverse(name: string): Ip | undefined {
  const [last, kind, ...parts] = labelsOf(name.toLowerCase()).reverse();
  if (last !== 'arpa') return undefined;
  if (kind === 'in-addr' && parts.length === 4) return parseIp(parts.join('.'));
  if (kind !== 'ip6' || parts.length !== 32 || !parts.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
  return { family: 'IPv6', value: BigInt(`0x${parts.join('')}`) };
}
