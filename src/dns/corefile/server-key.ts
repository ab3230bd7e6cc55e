/** What stands before a server block: `example.org:1053`, `dns://.`, `10.0.0.0/24`. Pure. */
import { parseNetwork } from '../../lib/cidr.ts';
import { formatIp } from '../../lib/ip.ts';
import { labelsOf, nameBytes, nameOf } from '../wire/domain-name.ts';
import { CorefileError } from './corefile-error.ts';
import type { Place } from './directive.ts';

export interface ServerKey {
  /** Lower case, with the final dot. */
  readonly zone: string;
  readonly port: number;
}

export const DNS_PORT = 53;

/** More than one where a network does not end at a dot: `10.0.0.0/23` is two zones. @throws CorefileError */
export function parseServerKey(text: string, place: Place): ServerKey[] {
  const [, scheme, rest = ''] = /^(?:([a-z0-9+]+):\/\/)?(.*)$/i.exec(text) ?? [];
  if (scheme !== undefined && scheme.toLowerCase() !== 'dns') {
    throw new CorefileError(place, `${text}: Fairway serves dns:// only, over UDP and TCP`);
  }
  const { host, port } = splitPort(rest, text, place);
  return zonesOf(host, place).map((zone) => ({ zone, port }));
}

function splitPort(rest: string, text: string, place: Place): { host: string; port: number } {
  // An IPv6 network has colons of its own.
  const found = rest.includes('/') && /:.*\//.test(rest) ? /^(.*\/\d+):(\d*)$/.exec(rest) : /^(.*):(.*)$/.exec(rest);
  if (!found) return { host: rest, port: DNS_PORT };
  const [, host = '', digits = ''] = found;
  const port = Number(digits);
  if (!/^\d{1,5}$/.test(digits) || port > 65_535) {
    throw new CorefileError(place, `${text}: expected a port from 1 to 65535 behind the colon`);
  }
  return { host, port };
}

/**
 * The zones of a name or a network, as plugins take them too (`kubernetes cluster.local 10.96.0.0/16`). Lower case, with the final dot.
 * @throws CorefileError
 */
export function zonesOf(text: string, place: Place): string[] {
  if (text.includes('/')) {
    const zones = reverseZones(text);
    if (!zones) throw new CorefileError(place, `${text}: expected a network such as 10.0.0.0/24 or fd00::/64`);
    return zones;
  }
  try {
    if (hasEmptyLabel(text)) throw new Error('empty label');
    nameBytes(text);
  } catch (error) {
    throw new CorefileError(place, `${text}: expected a domain name (${error instanceof Error ? error.message : ''})`);
  }
  return [nameOf(labelsOf(text.toLowerCase()))];
}

/** Two dots in a row, or one in front: a slip of the hand, of which another zone would be made. */
const hasEmptyLabel = (text: string): boolean => text !== '.' && /^\.|\.\./.test(text.replace(/\\(?:\d{3}|.)/g, 'x'));

/** Undefined: no network. Parted where labels are: every 8 bits of IPv4, every 4 of IPv6. */
export function reverseZones(text: string): string[] | undefined {
  const network = parseNetwork(text);
  if (!network) return undefined;
  const [step, whole] = network.family === 'IPv4' ? [8, 32] : [4, 128];
  const bits = Math.ceil(network.bits / step) * step;
  const size = 1n << BigInt(whole - bits);
  return Array.from({ length: 2 ** (bits - network.bits) }, (_, at) =>
    reverseZone(network.family, network.base + BigInt(at) * size, bits / step),
  );
}

function reverseZone(family: 'IPv4' | 'IPv6', base: bigint, labels: number): string {
  const parts =
    family === 'IPv4' ? formatIp({ family, value: base }).split('.') : [...base.toString(16).padStart(32, '0')];
  const tail = family === 'IPv4' ? 'in-addr.arpa.' : 'ip6.arpa.';
  return [...parts.slice(0, labels).reverse(), tail].join('.');
}
