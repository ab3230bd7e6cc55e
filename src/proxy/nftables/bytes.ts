/**
 * Keys and values as the kernel holds them, in strings of one byte per character: compact, and usable as keys of a Map. Every field is
 * padded to four bytes; addresses and ports are in network order, numbers in the machine's (little-endian on all machines Node runs our kernel on).
 */
import { formatIp, parseIp, type Family } from '../../lib/ip.ts';
import type { Protocol } from '../plan/types.ts';
import type { Field } from './schema.ts';

const PROTOCOL_BYTES: Readonly<Record<Protocol, string>> = {
  TCP: '\u0006\0\0\0',
  UDP: '\u0011\0\0\0',
  SCTP: '\u0084\0\0\0',
};
const protocolWords: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' };
const protocolNumbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

const byte = (value: number): string => String.fromCharCode(value & 255);

export const protocolBytes = (protocol: Protocol): string => PROTOCOL_BYTES[protocol];
export const portBytes = (port: number): string => String.fromCharCode(port >> 8, port & 255, 0, 0);
export const numberBytes = (number: number): string =>
  String.fromCharCode(number & 255, (number >> 8) & 255, (number >> 16) & 255, number >>> 24);

/** Of a canonical text, as the Plan has them. Throws RangeError for anything else. */
export function addressBytes(text: string): string {
  let [octet, dots, value] = [0, 0, ''];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46 && octet < 256) {
      value += byte(octet);
      octet = 0;
      dots++;
    } else if (code >= 48 && code <= 57) octet = octet * 10 + code - 48;
    else return slowAddressBytes(text);
  }
  if (dots !== 3 || octet > 255) return slowAddressBytes(text);
  return value + byte(octet);
}

function slowAddressBytes(text: string): string {
  const ip = parseIp(text);
  if (!ip) throw new RangeError(`no address: ${text}`);
  return bytesOfNumber(ip.value, ip.family);
}

export function bytesOfNumber(value: bigint, family: Family): string {
  let bytes = '';
  for (let shift = family === 'IPv6' ? 120n : 24n; shift >= 0n; shift -= 8n)
    bytes += byte(Number((value >> shift) & 255n));
  return bytes;
}

export function addressText(bytes: string): string {
  if (bytes.length === 4) {
    return `${String(bytes.charCodeAt(0))}.${String(bytes.charCodeAt(1))}.${String(bytes.charCodeAt(2))}.${String(bytes.charCodeAt(3))}`;
  }
  return formatIp({ family: 'IPv6', value: numberOf(bytes) });
}

export function numberOf(bytes: string): bigint {
  let value = 0n;
  for (let at = 0; at < bytes.length; at++) value = (value << 8n) | BigInt(bytes.charCodeAt(at));
  return value;
}

export const addressWidth = (family: Family): number => (family === 'IPv6' ? 16 : 4);

const widthOf = (field: Field, family: Family): number => (field === 'address' ? addressWidth(family) : 4);

export function lengthOf(fields: readonly Field[], family: Family): number {
  return fields.reduce((sum, field) => sum + widthOf(field, family), 0);
}

/** As nft writes it: `10.96.0.20 . tcp . 80`. */
export function fieldsText(bytes: string, fields: readonly Field[], family: Family): string {
  let at = 0;
  return fields
    .map((field) => {
      const width = widthOf(field, family);
      const part = bytes.slice(at, at + width);
      at += width;
      return fieldText(part, field);
    })
    .join(' . ');
}

export function fieldText(bytes: string, field: Field): string {
  switch (field) {
    case 'address':
      return addressText(bytes);
    case 'protocol':
      return protocolWords[String(bytes.charCodeAt(0))] ?? String(bytes.charCodeAt(0));
    case 'port':
      return String(bytes.charCodeAt(0) * 256 + bytes.charCodeAt(1));
    case 'number':
      return String(
        bytes.charCodeAt(0) +
          bytes.charCodeAt(1) * 256 +
          bytes.charCodeAt(2) * 65_536 +
          bytes.charCodeAt(3) * 16_777_216,
      );
  }
}

/** Reads what `fieldsText` writes. Throws RangeError. */
export function fieldsBytes(text: string, fields: readonly Field[]): string {
  const words = text.split(' . ');
  if (words.length !== fields.length) throw new RangeError(`${text}: not ${String(fields.length)} fields`);
  return fields.map((field, at) => fieldBytes(words[at] ?? '', field)).join('');
}

function fieldBytes(word: string, field: Field): string {
  if (field === 'address') return addressBytes(word);
  const number = field === 'protocol' ? (protocolNumbers[word] ?? Number(word)) : Number(word);
  if (!Number.isInteger(number) || number < 0) throw new RangeError(`no ${field}: ${word}`);
  if (field === 'protocol') return byte(number) + '\0\0\0';
  return field === 'port' ? portBytes(number) : numberBytes(number);
}
