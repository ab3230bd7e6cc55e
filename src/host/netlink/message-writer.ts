/**
 * Writes netlink messages one behind the other into one growing buffer, without garbage for each attribute. Headers are in the machine's byte
 * order, which is little-endian on every platform that has a binary of ours; `be…` are for payloads that the kernel wants in network order.
 */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** NLM_F_ROOT | NLM_F_MATCH */
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

const NESTED = 0x8000;

export class MessageWriter {
  /** What is written: the first `length` bytes. The buffer changes when it grows. */
  buffer: Buffer;
  length = 0;
  #view: DataView;
  #message = 0;

  constructor(capacity = 4096) {
    this.buffer = Buffer.alloc(capacity);
    this.#view = new DataView(this.buffer.buffer, this.buffer.byteOffset, capacity);
  }

  /** Forgets what is written and keeps the memory, unless there is more of it than `keep` bytes. */
  reset(keep = 1 << 20): this {
    this.length = 0;
    if (this.buffer.length > keep) this.#replace(Buffer.alloc(4096));
    return this;
  }

  /** Starts a message; `end` must follow. */
  begin(type: number, flags: number, seq: number): this {
    this.#reserve(16);
    this.#message = this.length;
    this.#view.setUint32(this.length, 0, true);
    this.#view.setUint16(this.length + 4, type, true);
    this.#view.setUint16(this.length + 6, flags, true);
    this.#view.setUint32(this.length + 8, seq, true);
    this.#view.setUint32(this.length + 12, 0, true);
    this.length += 16;
    return this;
  }

  end(): this {
    this.#view.setUint32(this.#message, this.length - this.#message, true);
    return this;
  }

  /** Bytes of a message's fixed header, such as `nfgenmsg`; a multiple of 4. */
  fixed(...bytes: readonly number[]): this {
    this.#reserve(bytes.length);
    for (const byte of bytes) this.buffer[this.length++] = byte;
    return this;
  }

  /** Attributes ready-made, padded. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** `nfgenmsg`: the address family, and the subsystem a batch is for. */
  nfgen(family: number, resource = 0): this {
    return this.fixed(family, 0, resource >>> 8, resource & 0xff);
  }

  /** Starts a nested attribute; what it returns is for `close`. */
  open(type: number): number {
    this.#reserve(4);
    const at = this.length;
    this.#view.setUint16(at + 2, type | NESTED, true);
    this.length += 4;
    return at;
  }

  /** Throws RangeError when the attribute outgrew the 64 KiB that its length field can tell. */
  close(at: number): this {
    const length = this.length - at;
    if (length > 0xffff) throw new RangeError(`a netlink attribute of ${String(length)} bytes`);
    this.#view.setUint16(at, length, true);
    return this;
  }

  u8(type: number, value: number): this {
    const at = this.#attribute(type, 1);
    this.buffer[at] = value;
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value >>> 0, true);
    return this;
  }

  be16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value);
    return this;
  }

  be32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value >>> 0);
    return this;
  }

  be64(type: number, value: number): this {
    const at = this.#attribute(type, 8);
    this.#view.setUint32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value >>> 0);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    // a loop: `set` costs more than it saves on the few bytes of a key
    if (value.length > 64) this.buffer.set(value, at);
    else for (let i = 0; i < value.length; i++) this.buffer[at + i] = value[i] ?? 0;
    return this;
  }

  /** Ends with NUL. */
  string(type: number, value: string): this {
    const size = Buffer.byteLength(value);
    const at = this.#attribute(type, size + 1);
    this.buffer.write(value, at);
    this.buffer[at + size] = 0;
    return this;
  }

  /** Header and zeroed padding of an attribute; returns where its payload goes. The view may be another one after it. */
  #attribute(type: number, size: number): number {
    const padded = (size + 3) & ~3;
    this.#reserve(4 + padded);
    const at = this.length + 4;
    this.#view.setUint16(this.length, 4 + size, true);
    this.#view.setUint16(this.length + 2, type, true);
    if (padded !== size) this.#view.setUint32(at + padded - 4, 0);
    this.length = at + padded;
    return at;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.alloc(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.length));
    this.#replace(larger);
  }

  #replace(buffer: Buffer): void {
    this.buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  }
}
