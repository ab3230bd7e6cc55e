/** The string formats a schema may name and values are checked against; every other format is only documentation. */
import { parseNetwork } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';

const uuid = (version = '[0-9a-f]', variant = '[0-9a-f]') =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
const matches = (pattern: RegExp) => (text: string) => pattern.test(text);

const isDate = (text: string): boolean => {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const moment = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(text);
};

const isDateTime = (text: string): boolean => {
  const parts = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:?\d\d)$/.exec(text);
  return parts !== null && isDate(parts[1] ?? '') && !Number.isNaN(Date.parse(`${parts[1] ?? ''}T${parts[2] ?? ''}Z`));
};

const isUri = (text: string): boolean => text !== '' && URL.canParse(text, 'https://base.invalid') && !/\s/.test(text);

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  date: isDate,
  'date-time': isDateTime,
  datetime: isDateTime,
  duration: matches(
    /^[+-]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)\s?(?:ns|us|µs|ms|s|m|h|d|w)(?:\s?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h|d|w))*)$/,
  ),
  email: matches(/^[^\s@<>()]+@[^\s@<>()]+$/),
  hostname: matches(
    /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i,
  ),
  ipv4: (text) => parseIp(text)?.family === 'IPv4',
  ipv6: (text) => parseIp(text)?.family === 'IPv6',
  cidr: (text) => parseNetwork(text) !== undefined,
  mac: matches(/^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$/i),
  uri: isUri,
  uuid: matches(uuid()),
  uuid3: matches(uuid('3')),
  uuid4: matches(uuid('4', '[89ab]')),
  uuid5: matches(uuid('5', '[89ab]')),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: matches(/^(?:\d[ -]?){12,18}\d$/),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i),
  rgbcolor: matches(/^rgb\(\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*,\s*\d{1,3}%?\s*\)$/),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
};

/** Of numbers, and those that promise nothing about the text. */
const unchecked: readonly string[] = ['int32', 'int64', 'float', 'double', 'password', 'bsonobjectid'];

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[- ]/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce((total, digit, at) => total + (digit === 'X' ? 10 : Number(digit)) * (10 - at), 0);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[- ]/g, '');
  if (!/^97[89]\d{10}$/.test(digits)) return false;
  return [...digits].reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

/** Undefined: the format is not one that text is checked against. */
export function hasFormat(format: string, text: string): boolean | undefined {
  const name = normalized(format);
  return Object.hasOwn(checks, name) ? checks[name]?.(text) : undefined;
}

export const isKnownFormat = (format: string): boolean =>
  Object.hasOwn(checks, normalized(format)) || unchecked.includes(normalized(format));

const normalized = (format: string): string => (format === 'date-time' ? format : format.replaceAll('-', ''));
