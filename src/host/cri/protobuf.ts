/**
 * The protobuf encoding of plain objects, by a parsed `.proto` file. Enums are their names, bytes are Buffers, 64-bit numbers are
 * JavaScript numbers (times lose what is below a quarter of a microsecond). What a message leaves out is decoded as proto3 says: zero values,
 * empty lists and maps, null for messages. Pure.
 */
import type { Field, Message, ProtoFile } from './proto.ts';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

type Plain = Record<string, unknown>;

export class Codec {
  readonly #file: ProtoFile;
  constructor(file: ProtoFile) {
    this.#file = file;
  }

  /** Fields that the message does not have are ignored, and so are those that are undefined. Throws where a value has the wrong type. */
  encode(messageName: string, value: object): Buffer {
    const parts: Buffer[] = [];
    for (const field of this.#message(messageName).fields) {
      const given = (value as Plain)[field.name];
      if (given === undefined || given === null) continue;
      if (field.kind === 'single') this.#write(parts, field, given, false);
      else if (field.kind === 'repeated') for (const one of given as unknown[]) this.#write(parts, field, one, true);
      else for (const [key, one] of Object.entries(given)) parts.push(...this.#entry(field, key, one));
    }
    return Buffer.concat(parts);
  }

  /** Unknown fields are skipped. Throws where the bytes are no protobuf. */
  decode(messageName: string, bytes: Buffer): Plain {
    const message = this.#message(messageName);
    const result = Object.fromEntries(message.fields.map((field) => [field.name, this.#absent(field)]));
    const byNumber = new Map(message.fields.map((field) => [field.number, field]));
    for (let reader = new Reader(bytes); !reader.ended;) {
      const tag = Number(reader.varint());
      const field = byNumber.get(tag >>> 3);
      if (field) this.#read(reader, tag & 7, field, result);
      else reader.skip(tag & 7);
    }
    return result;
  }

  #message(name: string): Message {
    const message = this.#file.messages.get(name);
    if (!message) throw new Error(`proto: no message ${name}`);
    return message;
  }

  /** A zero value is not written, except in a list, where it has a place. */
  #write(parts: Buffer[], { number, type, name }: Field, value: unknown, always: boolean): void {
    const length = (bytes: Buffer) => parts.push(varint((number << 3) | LENGTH), varint(bytes.length), bytes);
    if (this.#file.messages.has(type)) length(this.encode(type, value as object));
    else if (type === 'string' || type === 'bytes') {
      if (typeof value !== 'string' && !Buffer.isBuffer(value)) throw new Error(`proto: ${name} must be text or bytes`);
      if (always || value.length > 0) length(typeof value === 'string' ? Buffer.from(value) : value);
    } else {
      const amount = this.#number(type, name, value);
      if (always || amount !== 0n) parts.push(varint((number << 3) | VARINT), varint(amount));
    }
  }

  #number(type: string, name: string, value: unknown): bigint {
    const names = this.#file.enums.get(type);
    if (names) {
      for (const [number, known] of names) if (known === value) return BigInt(number);
      throw new Error(`proto: ${name} cannot be ${String(value)}`);
    }
    if (typeof value === 'boolean') return value ? 1n : 0n;
    if (typeof value !== 'number') throw new Error(`proto: ${name} must be a number`);
    return BigInt(Math.trunc(value));
  }

  #entry(field: Field, key: string, value: unknown): Buffer[] {
    const parts: Buffer[] = [];
    this.#write(parts, { number: 1, name: 'key', type: 'string', kind: 'single' }, key, true);
    this.#write(parts, { number: 2, name: field.name, type: field.type, kind: 'single' }, value, true);
    const entry = Buffer.concat(parts);
    return [varint((field.number << 3) | LENGTH), varint(entry.length), entry];
  }

  #absent({ kind, type }: Field): unknown {
    if (kind === 'repeated') return [];
    if (kind === 'map') return {};
    if (this.#file.messages.has(type)) return null;
    const names = this.#file.enums.get(type);
    if (names) return names.get(0);
    return type === 'string' ? '' : type === 'bool' ? false : type === 'bytes' ? Buffer.alloc(0) : 0;
  }

  #read(reader: Reader, wire: number, field: Field, into: Plain): void {
    if (field.kind === 'map') {
      const [key, value] = this.#readEntry(reader.bytes(), field);
      // defineProperty, because a key may be called __proto__
      Object.defineProperty(into[field.name], key, { value, enumerable: true, configurable: true, writable: true });
      return;
    }
    if (field.kind === 'single') {
      into[field.name] = this.#value(reader, wire, field);
      return;
    }
    const list = into[field.name] as unknown[];
    const packed = wire === LENGTH && !this.#isLength(field.type);
    if (!packed) list.push(this.#value(reader, wire, field));
    else for (const inner = new Reader(reader.bytes()); !inner.ended;) list.push(this.#value(inner, VARINT, field));
  }

  #readEntry(bytes: Buffer, field: Field): [string, unknown] {
    let key = '';
    let value = this.#absent({ ...field, kind: 'single' });
    for (let reader = new Reader(bytes); !reader.ended;) {
      const tag = Number(reader.varint());
      if (tag >>> 3 === 1) key = reader.bytes().toString();
      else if (tag >>> 3 === 2) value = this.#value(reader, tag & 7, field);
      else reader.skip(tag & 7);
    }
    return [key, value];
  }

  #isLength(type: string): boolean {
    return type === 'string' || type === 'bytes' || this.#file.messages.has(type);
  }

  #value(reader: Reader, wire: number, { type, name }: Field): unknown {
    if (wire !== (this.#isLength(type) ? LENGTH : VARINT))
      throw new Error(`proto: ${name} has wire type ${String(wire)}`);
    if (this.#file.messages.has(type)) return this.decode(type, reader.bytes());
    if (type === 'string') return reader.bytes().toString();
    if (type === 'bytes') return Buffer.from(reader.bytes());
    const amount = Number(BigInt.asIntN(64, reader.varint()));
    const names = this.#file.enums.get(type);
    if (names) return names.get(amount) ?? String(amount);
    return type === 'bool' ? amount !== 0 : amount;
  }
}

/** Negative numbers take ten bytes, as 64-bit two's complement. */
function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new Error('proto: a number does not end');
  }

  bytes(): Buffer {
    const length = Number(this.varint());
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('proto: a field is longer than its message');
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === LENGTH) this.bytes();
    else if (wire === FIXED64) this.#at += 8;
    else if (wire === FIXED32) this.#at += 4;
    else throw new Error(`proto: wire type ${String(wire)} is not understood`);
  }
}
