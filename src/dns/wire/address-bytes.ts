/** Addresses of A and AAAA records between bytes and canonical text (RFC 5952), without the big numbers of `lib/ip`: answers are full of them. */
import { WireError } from './wire-error.ts';

export const ipv4Text = (bytes: Uint8Array, at: number): string =>
  `${String(bytes[at])}.${String(bytes[at + 1])}.${String(bytes[at + 2])}.${String(bytes[at + 3])}`;

export function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let group = 0; group < 8; group++)
    groups.push(((bytes[at + 2 * group] ?? 0) << 8) | (bytes[at + 2 * group + 1] ?? 0));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${ipv4Text(bytes, at + 12)}`;
  }
  let [bestStart, bestLength] = [0, 1];
  for (let start = 0; start < 8;) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) [bestStart, bestLength] = [start, end - start];
    start = Math.max(end, start + 1);
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (bestLength < 2) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestLength))}`;
}

/** @throws WireError unless `text` is exactly one address of that family */
export function addressBytes(text: string, length: 4 | 16): Uint8Array {
  const bytes = length === 4 ? ipv4Bytes(text, 0, text.length) : ipv6Bytes(text);
  if (!bytes) throw new WireError(`not an address for this record: ${text}`);
  return bytes;
}

const DOT = 0x2e;

function ipv4Bytes(text: string, from: number, end: number): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let octet = 0;
  let value = -1;
  for (let at = from; at <= end; at++) {
    const code = at === end ? DOT : text.charCodeAt(at);
    if (code === DOT) {
      if (value < 0 || octet === 4) return undefined;
      bytes[octet++] = value;
      value = -1;
    } else {
      // no leading zeros: what two programs could read differently is no address
      if (code < 0x30 || code > 0x39 || value === 0) return undefined;
      value = (value < 0 ? 0 : value * 10) + code - 0x30;
      if (value > 255) return undefined;
    }
  }
  return octet === 4 ? bytes : undefined;
}

function ipv6Bytes(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves[1] === undefined ? [] : groupsOf(halves[1], true);
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of one side of `::`. Only the last part of the whole address may be dotted IPv4. */
function groupsOf(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const bytes: number[] = [];
  for (const [at, part] of parts.entries()) {
    const value = groupOf(part);
    if (value !== undefined) bytes.push(value >> 8, value & 255);
    else {
      const dotted = last && at === parts.length - 1 ? ipv4Bytes(part, 0, part.length) : undefined;
      if (!dotted) return undefined;
      bytes.push(...dotted);
    }
  }
  return bytes.length > 16 ? undefined : bytes;
}

function groupOf(part: string): number | undefined {
  if (part.length === 0 || part.length > 4) return undefined;
  let value = 0;
  for (let at = 0; at < part.length; at++) {
    const code = part.charCodeAt(at) | 0x20;
    const digit = code >= 0x61 && code <= 0x66 ? code - 0x57 : part.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 15 || (digit > 9 && code < 0x61)) return undefined;
    value = (value << 4) | digit;
  }
  return value;
}
