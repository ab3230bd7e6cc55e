/** The same scenarios in IPv6: every address has a twin, so that no scenario is written twice. */
import { formatIp, parseIp } from '../../lib/ip.ts';

/** Bits the first three numbers are moved by: 10.244.1.0/24 is fd00:a:f4:1::/64, the last number is the end of the address. */
const SHIFT = 40;

/** `10.244.1.5` -> `fd00:a:f4:1::5`, `10.244.0.0/16` -> `fd00:a:f4::/48`, `127.0.0.1` -> `::1`, `0.0.0.0/0` -> `::/0`. */
export function twinOf(text: string): string {
  const [address = '', length] = text.split('/');
  if (length === '0') return '::/0';
  if (address.startsWith('127.')) {
    if (length !== undefined) return '::1/128';
    return address === '127.0.0.1' ? '::1' : '::2';
  }
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const groups = [a, b, c].map((number) => number.toString(16)).join(':');
  const ip = parseIp(`fd00:${groups}::${d.toString(16)}`);
  if (!ip) throw new Error(`no IPv4 address: ${text}`);
  if (length === undefined) return formatIp(ip);
  const bits = Number(length);
  const last = bits <= 24 ? bits + SHIFT : bits + 96;
  return `${formatIp(ip)}/${String(last)}`;
}

/** Any JSON value with every IPv4 address and range in its strings replaced by its twin, and the family named with it. */
export function inIPv6<T>(value: T): T {
  const text = JSON.stringify(value)
    .replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?![\d.])/g, twinOf)
    .replaceAll('"IPv4"', '"IPv6"');
  return JSON.parse(text) as T;
}
