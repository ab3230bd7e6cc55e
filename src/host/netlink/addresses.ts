/** IP addresses as bytes in network order, both ways. */
import { formatIp, parseIp } from '../../lib/ip.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** 4 or 16 bytes. Throws TypeError where `text` is no address. */
export function ipBytes(text: string): Uint8Array {
  const ip = parseIp(text);
  if (!ip) throw new TypeError(`not an IP address: ${text}`);
  const bytes = new Uint8Array(ip.family === 'IPv4' ? 4 : 16);
  let rest = ip.value;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** Canonical text of the `size` (4 or 16) bytes at `from`. */
export function ipText(bytes: Uint8Array, from: number, size: number): string {
  // without big numbers where there are many
  if (size === 4) return `${bytes[from]}.${bytes[from + 1]}.${bytes[from + 2]}.${bytes[from + 3]}`;
  let value = 0n;
  for (let at = from; at < from + size; at++) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  return formatIp({ family: 'IPv6', value });
}

export function addressFamily(text: string): number {
  return text.includes(':') ? AF_INET6 : AF_INET;
}
