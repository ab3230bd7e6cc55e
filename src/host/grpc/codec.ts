/**
 * The protobuf encoding of plain objects, by a parsed `.proto` file. Enums are their names, bytes are Buffers, 64-bit numbers are
 * JavaScript numbers (times lose what is below a quarter of a microsecond). What a message leaves out is decoded as proto3 says: zero values,
 * empty lists and maps, null for messages. Pure.
 */
import { varint, WIRE, WireReader } from '../../lib/protobuf.ts';
import type { Field, Message, ProtoFile } from './proto.ts';

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
    for (let reader = new WireReader(bytes); !reader.ended;) {
      const tag = reader.tag();
      const field = byNumber.get(tag.field);
      if (field) this.#read(reader, tag.wire, field, result);
      else reader.value(tag.wire);
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
    const length = (bytes: Buffer) => parts.push(varint((number << 3) | WIRE.length), varint(bytes.length), bytes);
    if (this.#file.messages.has(type)) length(this.encode(type, value as object));
    else if (type === 'string' || type === 'bytes') {
      if (typeof value !== 'string' && !Buffer.isBuffer(value)) throw new Error(`proto: ${name} must be text or bytes`);
      if (always || value.length > 0) length(typeof value === 'string' ? Buffer.from(value) : value);
    } else {
      const amount = this.#number(type, name, value);
      if (always || amount !== 0n) parts.push(varint((number << 3) | WIRE.varint), varint(amount));
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
    return [varint((field.number << 3) | WIRE.length), varint(entry.length), entry];
  }

  #absent({ kind, type }: Field): unknown {
    if (kind === 'repeated') return [];
    if (kind === 'map') return {};
    if (this.#file.messages.has(type)) return null;
    const names = this.#file.enums.get(type);
    if (names) return names.get(0);
    return type === 'string' ? '' : type === 'bool' ? false : type === 'bytes' ? Buffer.alloc(0) : 0;
  }

  #read(reader: WireReader, wire: number, field: Field, into: Plain): void {
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
    const packed = wire === WIRE.length && !this.#isLength(field.type);
    if (!packed) list.push(this.#value(reader, wire, field));
    else
      for (const inner = new WireReader(reader.bytes()); !inner.ended;)
        list.push(this.#value(inner, WIRE.varint, field));
  }

  #readEntry(bytes: Buffer, field: Field): [string, unknown] {
    let key = '';
    let value = this.#absent({ ...field, kind: 'single' });
    for (let reader = new WireReader(bytes); !reader.ended;) {
      const tag = reader.tag();
      if (tag.field === 1) key = reader.bytes().toString();
      else if (tag.field === 2) value = this.#value(reader, tag.wire, field);
      else reader.value(tag.wire);
    }
    return [key, value];
  }

  #isLength(type: string): boolean {
    return type === 'string' || type === 'bytes' || this.#file.messages.has(type);
  }

  #value(reader: WireReader, wire: number, { type, name }: Field): unknown {
    if (wire !== (this.#isLength(type) ? WIRE.length : WIRE.varint))
      throw new RangeError(`proto: ${name} has wire type ${String(wire)}`);
    if (this.#file.messages.has(type)) return this.decode(type, reader.bytes());
    if (type === 'string') return reader.bytes().toString();
    if (type === 'bytes') return Buffer.from(reader.bytes());
    const amount = Number(BigInt.asIntN(64, reader.varint()));
    const names = this.#file.enums.get(type);
    if (names) return names.get(amount) ?? String(amount);
    return type === 'bool' ? amount !== 0 : amount;
  }
}
