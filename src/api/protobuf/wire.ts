/** The protobuf wire format, as far as Kubernetes uses it: numbers, fixed 64-bit values and length-delimited bytes. */

/** Varints and fixed64 come as bigint (unsigned), everything else as bytes. */
export type WireValue = bigint | Uint8Array;

/** @throws RangeError when the bytes are no message. */
export function fieldsOf(bytes: Uint8Array): Map<number, WireValue[]> {
  const fields = new Map<number, WireValue[]>();
  const reader = new Reader(bytes);
  while (!reader.done) {
    const key = Number(reader.varint());
    const field = Math.floor(key / 8);
    const value = readValue(reader, key % 8);
    const values = fields.get(field);
    if (values) values.push(value);
    else fields.set(field, [value]);
  }
  return fields;
}

function readValue(reader: Reader, wireType: number): WireValue {
  switch (wireType) {
    case 0:
      return reader.varint();
    case 1:
      return reader.fixed64();
    case 2:
      return reader.bytes(Number(reader.varint()));
    case 5:
      return reader.bytes(4);
    default:
      throw new RangeError(`unknown wire type ${wireType}`);
  }
}

/** A text keeps its byte order mark, and the bytes that are no UTF-8 become U+FFFD, as in a JSON body. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export const textOf = (value: WireValue | undefined): string => (value instanceof Uint8Array ? utf8.decode(value) : '');

/** Numbers of a repeated field that was packed into one value. */
export function unpack(bytes: Uint8Array): bigint[] {
  const reader = new Reader(bytes);
  const numbers: bigint[] = [];
  while (!reader.done) numbers.push(reader.varint());
  return numbers;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }
  varint(): bigint {
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
  fixed64(): bigint {
    const bytes = this.bytes(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }
  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new RangeError('a field is longer than its message');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
