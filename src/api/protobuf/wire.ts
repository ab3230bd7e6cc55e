/** Protobuf messages as far as Kubernetes uses them, by field number. */
import { WireReader, type WireValue } from '../../lib/protobuf.ts';

/** @throws RangeError when the bytes are no message. */
export function fieldsOf(bytes: Uint8Array): Map<number, WireValue[]> {
  const fields = new Map<number, WireValue[]>();
  const reader = new WireReader(bytes);
  while (!reader.ended) {
    const { field, wire } = reader.tag();
    const value = reader.value(wire);
    const values = fields.get(field);
    if (values) values.push(value);
    else fields.set(field, [value]);
  }
  return fields;
}

/** A text keeps its byte order mark, and the bytes that are no UTF-8 become U+FFFD, as in a JSON body. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export const textOf = (value: WireValue | undefined): string => (value instanceof Uint8Array ? utf8.decode(value) : '');

/** Numbers of a repeated field that was packed into one value. */
export function unpack(bytes: Uint8Array): bigint[] {
  const reader = new WireReader(bytes);
  const numbers: bigint[] = [];
  while (!reader.ended) numbers.push(reader.varint());
  return numbers;
}
