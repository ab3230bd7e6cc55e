/** Writes what messages are made of; names point at names before them. A message at a time: the bytes are one buffer that all messages share. */
import { escapedByte, escapeLength, MAX_LABEL, MAX_NAME, nameBytes } from './domain-name.ts';
import { WireError } from './wire-error.ts';

/** The longest message, and a record that made it too long. */
const shared = Buffer.alloc(0x10000 + 0x10000 + 0x1000);
/** Pointers have fourteen bits. */
const POINTER_REACH = 0x4000;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

export class WireWriter {
  at = 0;
  /** The rest of a name, as text -> where it stands. */
  readonly #places = new Map<string, number>();
  /** In the order they were placed: what is taken back is the end of it. */
  readonly #order: string[] = [];

  u8(value: number): void {
    shared[this.at++] = value;
  }

  u16(value: number): void {
    shared[this.at] = value >> 8;
    shared[this.at + 1] = value;
    this.at += 2;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  raw(bytes: Uint8Array): void {
    if (bytes.length > 0xffff) throw new WireError('more bytes than a record holds');
    shared.set(bytes, this.at);
    this.at += bytes.length;
  }

  latin1(text: string): void {
    this.at += shared.write(text, this.at, 'latin1');
  }

  patch16(at: number, value: number): void {
    shared.writeUInt16BE(value, at);
  }

  /** Leaves out what was written since the writer stood at `at`. */
  takeBack(at: number): void {
    this.at = at;
    for (
      let last = this.#order.at(-1);
      last !== undefined && (this.#places.get(last) ?? 0) >= at;
      last = this.#order.at(-1)
    ) {
      this.#places.delete(last);
      this.#order.pop();
    }
  }

  /** @throws WireError for labels and names that are empty or too long */
  name(name: string, compress = true): void {
    // a name of so few characters has at most that many bytes
    if (name.length >= MAX_NAME) nameBytes(name);
    for (let from = 0; from < name.length && !(from === 0 && name === '.');) {
      const rest = from === 0 ? name : name.slice(from);
      const place = compress ? this.#places.get(rest) : undefined;
      if (place !== undefined) {
        this.u16(0xc000 | place);
        return;
      }
      if (compress && this.at < POINTER_REACH) {
        this.#places.set(rest, this.at);
        this.#order.push(rest);
      }
      from = this.#label(name, from);
    }
    this.u8(0);
  }

  /** Returns where the next one begins. */
  #label(name: string, from: number): number {
    const head = this.at++;
    let at = from;
    for (; at < name.length; at++) {
      const code = name.charCodeAt(at);
      if (code === DOT) break;
      if (this.at - head > MAX_LABEL) throw new WireError('label too long');
      if (code !== BACKSLASH) shared[this.at++] = code;
      else {
        shared[this.at++] = escapedByte(name, at);
        at += escapeLength(name, at) - 1;
      }
    }
    if (this.at - head === 1) throw new WireError('empty label');
    shared[head] = this.at - head - 1;
    return at + 1;
  }

  /** A copy. */
  finish(): Buffer {
    return Buffer.from(shared.subarray(0, this.at));
  }
}
