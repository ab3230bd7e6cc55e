/**
 * Domain names as text and as bytes (RFC 1035, 3.1 and 5.1). Text always ends in a dot; bytes that text cannot show are written `\DDD`, a dot or
 * backslash inside a label `\.` and `\\`. The case is kept as it came; compare with `sameName`.
 */
import { WireError } from './wire-error.ts';

const MAX_LABEL = 63;
/** Of a whole name on the wire, the final zero included. */
const MAX_NAME = 255;
/** More jumps than a name can have labels: a loop. */
const MAX_JUMPS = 127;

/** Labels as bytes in a string, one character per byte. */
export function labelsOf(name: string): string[] {
  const labels: string[] = [];
  let label = '';
  for (let at = 0; at < name.length; at++) {
    const char = name.charAt(at);
    if (char === '.') {
      labels.push(label);
      label = '';
    } else if (char !== '\\') label += char;
    else {
      const digits = /^\d{3}/.exec(name.slice(at + 1))?.[0];
      label += digits === undefined ? name.charAt(at + 1) : String.fromCharCode(Number(digits) & 255);
      at += digits?.length ?? 1;
    }
  }
  if (label !== '') labels.push(label);
  return labels.filter((each) => each !== '');
}

/** The text of labels given as bytes; `.` for none. */
export function nameOf(labels: readonly string[]): string {
  return labels.length === 0 ? '.' : labels.map((label) => `${escapeLabel(label)}.`).join('');
}

function escapeLabel(label: string): string {
  return /^[!-[\]-~]*$/.test(label) && !label.includes('.') ? label : [...label].map(escapeByte).join('');
}

function escapeByte(char: string): string {
  if (char === '.' || char === '\\') return `\\${char}`;
  const code = char.charCodeAt(0);
  return code > 0x20 && code < 0x7f ? char : `\\${String(code).padStart(3, '0')}`;
}

/** As the DNS compares: ASCII letters without regard to case. */
export const sameName = (a: string, b: string): boolean => a.length === b.length && a.toLowerCase() === b.toLowerCase();

/** The name at `at`, and where what follows it begins. @throws WireError */
export function readName(bytes: Buffer, at: number): { name: string; next: number } {
  const labels: string[] = [];
  let length = 1;
  let next: number | undefined;
  for (let jumps = 0; ;) {
    const head = bytes[at];
    if (head === undefined) throw new WireError('name runs past the end');
    if (head === 0) return { name: nameOf(labels), next: next ?? at + 1 };
    if (head >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) throw new WireError('pointer runs past the end');
      next ??= at + 2;
      at = ((head & 0x3f) << 8) | low;
      if (++jumps > MAX_JUMPS) throw new WireError('pointers go round in a loop');
      continue;
    }
    if (head > MAX_LABEL) throw new WireError('label of an unknown kind');
    if (at + 1 + head > bytes.length) throw new WireError('label runs past the end');
    length += head + 1;
    if (length > MAX_NAME) throw new WireError('name too long');
    labels.push(bytes.toString('latin1', at + 1, at + 1 + head));
    at += head + 1;
  }
}

/** Bytes of a name without compression. @throws WireError for a label or name that is too long */
export function nameBytes(name: string): Buffer {
  const labels = labelsOf(name);
  if (labels.some((label) => label.length > MAX_LABEL)) throw new WireError('label too long');
  const bytes = Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    Buffer.of(0),
  ]);
  if (bytes.length > MAX_NAME) throw new WireError('name too long');
  return bytes;
}
