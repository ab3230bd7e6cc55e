/**
 * Reads what messages are made of from bytes nobody vouches for: never past the end, never in a loop, and in time that grows with the length alone. All
 * methods throw WireError.
 */
import { isPlain, MAX_LABEL, MAX_NAME } from './domain-name.ts';
import { WireError } from './wire-error.ts';

/** Pointers lead behind it (RFC 1035, 4.1.4: to a prior occurrence of a name, and the header is none). */
const HEADER = 12;
const DOT = 0x2e;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** A name has no more labels than that, so more pointers lead nowhere; a message made of them would take long to follow for each name in it. */
const MAX_JUMPS = 127;
/** The longest name as text: each byte an escape of four characters. */
const scratch = Buffer.alloc(MAX_NAME * 4);

export class WireReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new WireError('message ends too soon');
    return value;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new WireError('record runs past the end');
    return this.bytes.subarray(this.at, (this.at += length));
  }

  /** Each pointer must lead to before the part of the name it ends: so there is no loop. */
  name(): string {
    const { bytes } = this;
    let at = this.at;
    let before = at;
    let length = 1;
    let chars = 0;
    let jumps = 0;
    for (;;) {
      const head = bytes[at];
      if (head === undefined) throw new WireError('name runs past the end');
      if (head === 0) break;
      if (head >= 0xc0) {
        const low = bytes[at + 1];
        if (low === undefined) throw new WireError('pointer runs past the end');
        if (++jumps === 1) this.at = at + 2;
        at = ((head & 0x3f) << 8) | low;
        if (at >= before || at < HEADER) throw new WireError('pointer does not lead back');
        if (jumps > MAX_JUMPS) throw new WireError('too many pointers');
        before = at;
        continue;
      }
      if (head > MAX_LABEL) throw new WireError('label of an unknown kind');
      const end = at + 1 + head;
      if (end > bytes.length) throw new WireError('label runs past the end');
      length += head + 1;
      if (length > MAX_NAME) throw new WireError('name too long');
      for (at++; at < end; at++) {
        const byte = bytes[at] ?? 0;
        if (isPlain(byte)) scratch[chars++] = byte;
        else chars = escape(byte, chars);
      }
      scratch[chars++] = DOT;
    }
    if (jumps === 0) this.at = at + 1;
    return chars === 0 ? '.' : scratch.toString('latin1', 0, chars);
  }
}

/** Puts what text shows for the byte at `at` of the scratch; returns where it ends. */
function escape(byte: number, at: number): number {
  scratch[at++] = BACKSLASH;
  if (byte !== DOT && byte !== BACKSLASH) {
    scratch[at++] = ZERO + Math.floor(byte / 100);
    scratch[at++] = ZERO + (Math.floor(byte / 10) % 10);
    byte = ZERO + (byte % 10);
  }
  scratch[at++] = byte;
  return at;
}
