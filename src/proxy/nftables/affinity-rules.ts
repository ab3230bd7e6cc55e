/**
 * Session affinity as rules. A client is looked up before an endpoint is picked, and remembered when its new connection leaves (3-097).
 *
 * nft 1.0.6 cannot put a key of more than 16 bytes into a map, nor such a value: it has the registers and does not use them. An IPv6
 * client and what it connects to are therefore four hashes, and address and port of the endpoint are in two maps. Clients that share a hash
 * only share an endpoint; to mistake one Service for another, 96 bits would have to be the same.
 */
import type { Family } from '../../lib/ip.ts';

/** Named because a port means nothing without them. */
export const PROTOCOLS = 'meta l4proto { tcp, udp, sctp }';

export const HASH_MODULUS = 4_294_967_295;

/** Seeds of the hashes of: the client; the address it connects to, twice; protocol and port. */
export const HASH_SEEDS = [1, 2, 3, 4] as const;

/** The key of @affinity, of a packet that was not translated yet, or of one that was. */
function keyOf(family: Family, isTranslated: boolean): string {
  const original = isTranslated ? 'ct original ' : '';
  const ip = family === 'IPv6' ? 'ip6' : 'ip';
  const [client, to, port] = [
    `${original}${ip} saddr`,
    `${original}${ip} daddr`,
    isTranslated ? 'ct original proto-dst' : 'th dport',
  ];
  if (family === 'IPv4') return `${client} . ${to} . meta l4proto . ${port}`;
  return [client, to, to, `meta l4proto . ${port}`]
    .map((what, at) => `jhash ${what} mod ${String(HASH_MODULUS)} seed 0x${String(HASH_SEEDS[at])}`)
    .join(' . ');
}

export function recallRule(family: Family): string {
  const key = keyOf(family, false);
  return family === 'IPv4'
    ? `dnat ip to ${key} map @affinity`
    : `${PROTOCOLS} dnat ip6 to ${key} map @affinity : ${key} map @affinity-ports`;
}

/** Each new connection lets the client stay that much longer. */
export function rememberRule(family: Family, seconds: number): string {
  const key = `${keyOf(family, true)} timeout ${String(seconds)}s`;
  return family === 'IPv4'
    ? `${PROTOCOLS} update @affinity { ${key} : ip daddr . th dport }`
    : `${PROTOCOLS} update @affinity { ${key} : ip6 daddr } update @affinity-ports { ${key} : th dport }`;
}
