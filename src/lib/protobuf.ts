/** The wire format of protobuf: numbers, fixed-size values and length-delimited bytes. What the fields mean is the caller's business. Pure. */

/** How a value is written: the lowest three bits of its tag. */
export const WIRE = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

/** Varints and fixed64 come as bigint (unsigned), everything else as bytes. */
export type WireValue = bigint | Uint8Array;

/** Reads one message. Every method throws RangeError where the bytes are no protobuf; what it answers is a view, not a copy. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** What begins every field. */
  tag(): { readonly field: number; readonly wire: number } {
    const key = this.#number();
    return { field: Math.floor(key / 8), wire: key % 8 };
  }

  varint(): bigint {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at++;
      return BigInt(first);
    }
    let value = 0n;
    // Ten groups of seven bits hold any 64-bit number.
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number does not end');
  }

  /** As most are a single byte, without a bigint in between. */
  #number(): number {
    const first = this.#bytes[this.#at];
    if (first === undefined || first >= 0x80) return Number(this.varint());
    this.#at++;
    return first;
  }

  /** A length and as many bytes. */
  bytes(): Buffer {
    return this.#take(this.#number());
  }

  /** The value after a tag, whatever it means: to be kept, or to be passed over. */
  value(wire: number): bigint | Buffer {
    switch (wire) {
      case WIRE.varint:
        return this.varint();
      case WIRE.fixed64:
        return this.#take(8).readBigUInt64LE();
      case WIRE.length:
        return this.bytes();
      case WIRE.fixed32:
        return this.#take(4);
      default:
        throw new RangeError(`wire type ${String(wire)} is not understood`);
    }
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new RangeError('a field is longer than its message');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

/** A number as it is written. Negative ones take ten bytes, as 64-bit two's complement. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
