/** Keys of elements in nft's words -> bytes. */
import { parseCidr, cidrSize } from '../../lib/cidr.ts';
import type { Family } from '../../lib/ip.ts';
import { addressBytes, bytesOfNumber, fieldsBytes } from './bytes.ts';
import { schemaOf, type SetName } from './schema.ts';

/** Throws RangeError for what no element of ours is. */
export function elementKey(set: SetName, text: string, family: Family): string {
  const { key, interval } = schemaOf(set, family);
  if (!interval) return fieldsBytes(text, key);
  const at = text.indexOf(' . ');
  const rest = fieldsBytes(text.slice(at + 3), key.slice(1));
  const [from, to] = rangeBytes(text.slice(0, at), family);
  return from + rest + to + rest;
}

function rangeBytes(text: string, family: Family): [string, string] {
  const cidr = parseCidr(text);
  if (cidr) return [bytesOfNumber(cidr.base, family), bytesOfNumber(cidr.base + cidrSize(cidr) - 1n, family)];
  const [from = '', to = from] = text.split('-');
  return [addressBytes(from), addressBytes(to)];
}
