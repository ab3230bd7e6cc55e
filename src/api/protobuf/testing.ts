/** For tests: protobuf bodies made by hand, field by field. */

export const bytes = (...parts: readonly (number | string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : Buffer.from(part))));

export const varint = (value: number): Uint8Array =>
  value < 0x80 ? Uint8Array.of(value) : bytes((value % 0x80) + 0x80, varint(Math.floor(value / 0x80)));

/** A text, a message or bytes. */
export const field = (number: number, content: string | Uint8Array): Uint8Array =>
  bytes(varint(number * 8 + 2), varint(Buffer.byteLength(content)), content);

/** A number or a truth value. */
export const numberField = (number: number, value: number): Uint8Array => bytes(varint(number * 8), varint(value));

/** The whole body around the message of a kind. */
export const envelope = (apiVersion: string, kind: string, message: Uint8Array): Uint8Array =>
  bytes('k8s', 0, field(1, bytes(field(1, apiVersion), field(2, kind))), field(2, message));
