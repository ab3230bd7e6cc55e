/**
 * Domain names as text and as bytes (RFC 1035, 3.1 and 5.1). Text always ends in a dot; bytes that text cannot show are written `\DDD`, a dot or
 * backslash inside a label `\.` and `\\`. The case is kept as it came; compare with `sameName`. Text is ASCII, so its lower case is the name's.
 */
import { WireError } from './wire-error.ts';

export const MAX_LABEL = 63;
/** Of a whole name on the wire, the final zero included. */
export const MAX_NAME = 255;

const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Labels as bytes in a string, one character per byte. */
export function labelsOf(name: string): string[] {
  if (!name.includes('\\')) return name.split('.').filter((label) => label !== '');
  const labels: string[] = [];
  const label: number[] = [];
  const end = () => {
    if (label.length > 0) labels.push(String.fromCharCode(...label));
    label.length = 0;
  };
  for (let at = 0; at < name.length;) {
    const code = name.charCodeAt(at);
    if (code === DOT) end();
    else label.push(code === BACKSLASH ? escapedByte(name, at) : code);
    at += code === BACKSLASH ? escapeLength(name, at) : 1;
  }
  end();
  return labels;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** Characters of the escape whose backslash is at `at`. */
export const escapeLength = (name: string, at: number): number =>
  isDigit(name.charCodeAt(at + 1)) && isDigit(name.charCodeAt(at + 2)) && isDigit(name.charCodeAt(at + 3)) ? 4 : 2;

/** The byte that the escape at `at` stands for; a backslash at the very end stands for itself. */
export function escapedByte(name: string, at: number): number {
  if (escapeLength(name, at) === 4) return Number(name.slice(at + 1, at + 4)) & 255;
  return at + 1 < name.length ? name.charCodeAt(at + 1) : BACKSLASH;
}

/** The text of labels given as bytes; `.` for none. */
export function nameOf(labels: readonly string[]): string {
  if (labels.length === 0) return '.';
  let text = '';
  for (const label of labels) {
    for (let at = 0; at < label.length; at++) text += byteText(label.charCodeAt(at));
    text += '.';
  }
  return text;
}

/** How text shows one byte of a label. */
function byteText(byte: number): string {
  if (isPlain(byte)) return String.fromCharCode(byte);
  if (byte === DOT || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`;
  return `\\${String(byte).padStart(3, '0')}`;
}

/** Whether text shows the byte as it is. */
export const isPlain = (byte: number): boolean => byte > 0x20 && byte < 0x7f && byte !== DOT && byte !== BACKSLASH;

/** As the DNS compares: ASCII letters without regard to case. */
export const sameName = (a: string, b: string): boolean => a.length === b.length && a.toLowerCase() === b.toLowerCase();

/** Bytes of a name without compression. @throws WireError for a label or name that is too long */
export function nameBytes(name: string): Buffer {
  const bytes = Buffer.alloc(MAX_NAME);
  let length = 0;
  for (const label of labelsOf(name)) {
    if (label.length > MAX_LABEL) throw new WireError('label too long');
    // with the zero that ends it
    if (length + label.length + 2 > MAX_NAME) throw new WireError('name too long');
    bytes[length] = label.length;
    length += 1 + bytes.write(label, length + 1, 'latin1');
  }
  return bytes.subarray(0, length + 1);
}
