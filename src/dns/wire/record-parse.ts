/** Records from the words of a zone file (RFC 1035, 5.1), one line each: `web.test. 60 IN A 192.0.2.1`. Pure. */
import { formatIp, parseIp } from '../../lib/ip.ts';
import { labelsOf, nameBytes, nameOf } from './domain-name.ts';
import { TYPE, type Record, type RecordData } from './message.ts';
import { parseClass, parseType } from './record-text.ts';

/** Where a line gives no TTL. */
const DEFAULT_TTL = 3600;

/** @returns the record, or why there is none */
export function parseRecord(line: string): Record | string {
  const words = wordsOf(line);
  if (typeof words === 'string') return words;
  const [owner, ...rest] = words;
  if (owner === undefined) return 'an empty line';
  let ttl = DEFAULT_TTL;
  let at = 0;
  // TTL and class may stand in either order, or not at all.
  for (; at < 2; at++) {
    const word = rest[at] ?? '';
    if (/^\d{1,10}$/.test(word)) ttl = Number(word);
    else if (parseClass(word) === undefined || parseType(word) !== undefined) break;
    else if (parseClass(word) !== 1) return `class ${word} is not served`;
  }
  const [type = '', ...data] = rest.slice(at);
  const code = parseType(type);
  if (code === undefined) return `"${type}" is no type of records`;
  if (ttl > 0x7fff_ffff) return `TTL ${String(ttl)} is too long`;
  const name = parseName(owner);
  if (name === undefined) return `"${owner}" is no name`;
  const parsed = parseData(code, data);
  return typeof parsed === 'string' ? `${type}: ${parsed}` : { name, ttl, ...parsed };
}

/** Words of a line, quoted ones unquoted; brackets only join lines, and a `;` begins a comment. */
function wordsOf(line: string): string[] | string {
  const words: string[] = [];
  for (const [whole, quoted, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"|;.*|([^\s"();]+)|[()]|"/g)) {
    if (whole === '"') return 'a quote is never closed';
    if (quoted !== undefined) words.push(quoted.replaceAll(/\\(.)/g, '$1'));
    else if (bare !== undefined) words.push(bare);
  }
  return words;
}

/** A final dot may be missing. */
function parseName(text: string): string | undefined {
  try {
    nameBytes(text);
    return nameOf(labelsOf(text));
  } catch {
    return undefined;
  }
}

function parseData(code: number, data: readonly string[]): RecordData | string {
  const [first = ''] = data;
  switch (code) {
    case TYPE.A:
    case TYPE.AAAA: {
      const ip = parseIp(first);
      const family = code === TYPE.A ? 'IPv4' : 'IPv6';
      return ip?.family === family && data.length === 1
        ? { type: code, address: formatIp(ip) }
        : `expected an ${family} address, found "${data.join(' ')}"`;
    }
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR: {
      const target = data.length === 1 ? parseName(first) : undefined;
      return target === undefined ? `expected a name, found "${data.join(' ')}"` : { type: code, target };
    }
    case TYPE.SRV:
      return withNumbers(data, 3, ([priority = 0, weight = 0, port = 0], target) => ({
        type: TYPE.SRV,
        priority,
        weight,
        port,
        target,
      }));
    case TYPE.MX:
      return withNumbers(data, 1, ([preference = 0], target) => {
        const head = Buffer.alloc(2);
        head.writeUInt16BE(preference);
        return { type: 'other', code, bytes: Buffer.concat([head, nameBytes(target)]) };
      });
    case TYPE.TXT:
      return data.length > 0 && data.every((text) => text.length <= 255)
        ? { type: code, texts: data }
        : 'expected texts of 255 bytes at most';
    case TYPE.SOA:
      return parseSoa(data);
    default:
      return parseBytes(code, data);
  }
}

type Made = (numbers: readonly number[], target: string) => RecordData;

function withNumbers(data: readonly string[], count: number, make: Made): RecordData | string {
  const numbers = data.slice(0, count);
  const target = data.length === count + 1 ? parseName(data[count] ?? '') : undefined;
  if (target === undefined || !numbers.every((text) => /^\d{1,5}$/.test(text) && Number(text) <= 0xffff)) {
    return `expected ${count === 1 ? 'a number' : `${String(count)} numbers`} and a name, found "${data.join(' ')}"`;
  }
  return make(numbers.map(Number), target);
}

function parseSoa(data: readonly string[]): RecordData | string {
  const [mname, rname] = data.slice(0, 2).map(parseName);
  const numbers = data.slice(2);
  const isRight = numbers.length === 5 && numbers.every((text) => /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32);
  if (mname === undefined || rname === undefined || !isRight) {
    return `expected two names and five numbers, found "${data.join(' ')}"`;
  }
  const [serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0] = numbers.map(Number);
  return { type: TYPE.SOA, mname, rname, serial, refresh, retry, expire, minimum };
}

/** `\# LENGTH HEX` (RFC 3597), for any type. */
function parseBytes(code: number, [mark, length, ...hex]: readonly string[]): RecordData | string {
  const bytes = Buffer.from(hex.join(''), 'hex');
  if (mark !== '\\#' || !/^(?:[0-9a-f]{2})*$/i.test(hex.join('')) || bytes.length !== Number(length)) {
    return 'expected the data of this type as "\\# LENGTH HEX"';
  }
  return { type: 'other', code, bytes };
}
