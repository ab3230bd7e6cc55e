/** Addresses as objects tell them -> the one text of each that all rules, flows and comparisons use. */
import { formatIp, parseIp, type Family } from '../../lib/ip.ts';

/**
 * undefined where `text` is no address of the family. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`), which old API servers let
 * through, is IPv4: no packet ever carries the other.
 */
export function addressOf(text: string, family: Family): string | undefined {
  const ip = parseIp(text);
  if (ip?.family === 'IPv4') return family === 'IPv4' ? text : undefined; // there is only one way to write it
  if (ip === undefined) return undefined;
  if (ip.value >> 32n === 0xffffn) {
    return family === 'IPv4' ? formatIp({ family: 'IPv4', value: ip.value & 0xffffffffn }) : undefined;
  }
  return family === 'IPv6' ? formatIp(ip) : undefined;
}
