/** Reads what the kernel wrote: messages of a datagram, attributes of a message. Lengths are checked: what does not fit ends the walk. */

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** Who the message answers, or whose doing it tells. */
  readonly portId: number;
  /** Behind the 16 bytes of header. A view: valid until the next read from the socket. */
  readonly payload: Buffer;
}

/** Attribute by type; of several alike the last. The values are views. */
export type Attributes = ReadonlyMap<number, Buffer>;

const align = (size: number) => (size + 3) & ~3;

export function* messages(datagram: Buffer): Generator<Message> {
  let at = 0;
  while (at + 16 <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    if (length < 16 || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      seq: datagram.readUInt32LE(at + 8),
      portId: datagram.readUInt32LE(at + 12),
      payload: datagram.subarray(at + 16, at + length),
    };
    at += align(length);
  }
}

/** Calls back for each attribute in order: its type without flag bits, and where in `bytes` its payload starts and ends. */
export function eachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  let at = start;
  while (at + 4 <= end) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    if (length < 4 || at + length > end) return;
    visit(((bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)) & 0x3fff, at + 4, at + length);
    at += align(length);
  }
}

/** @param start bytes of fixed header before the first attribute */
export function attributes(payload: Buffer, start = 0): Attributes {
  const found = new Map<number, Buffer>();
  eachAttribute(payload, start, payload.length, (type, from, to) => found.set(type, payload.subarray(from, to)));
  return found;
}

/** A string as the kernel writes it, without the NUL at its end. */
export function text(value: Buffer | undefined): string {
  if (!value) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}
