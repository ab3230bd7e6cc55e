/** Messages on a gRPC stream: one byte that says whether it is compressed, four of length, the message. Pure. */
import { GRPC, GrpcError } from './grpc-error.ts';

const PREFIX = 5;

export function frameOf(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Puts messages together from whatever pieces the network brings. */
export class MessageReader {
  readonly #max: number;
  #pieces: Buffer[] = [];
  #size = 0;

  /** @param max bytes of a message beyond which it is refused */
  constructor(max: number) {
    this.#max = max;
  }

  /** Nothing of an unfinished message is left. */
  get ended(): boolean {
    return this.#size === 0;
  }

  /** The messages that are complete with this piece. Throws GrpcError for compressed and for oversized ones. */
  read(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#size += piece.length;
    const messages: Buffer[] = [];
    for (let next = this.#take(); next; next = this.#take()) messages.push(next);
    return messages;
  }

  #take(): Buffer | undefined {
    if (this.#size < PREFIX) return undefined;
    const head = this.#join(PREFIX);
    const length = head.readUInt32BE(1);
    if (head[0] !== 0) throw new GrpcError(GRPC.internal, 'the answer is not one uncompressed message');
    if (length > this.#max) {
      throw new GrpcError(GRPC.resourceExhausted, `the answer is larger than ${String(this.#max)} bytes`);
    }
    if (this.#size < PREFIX + length) return undefined;
    const all = this.#join(PREFIX + length);
    this.#size -= PREFIX + length;
    this.#pieces =
      all.length > PREFIX + length ? [all.subarray(PREFIX + length), ...this.#pieces.slice(1)] : this.#pieces.slice(1);
    return all.subarray(PREFIX, PREFIX + length);
  }

  /** The first piece, made to hold at least `length` bytes. A long message is joined once, when it is complete. */
  #join(length: number): Buffer {
    const [first] = this.#pieces;
    if (first && first.length >= length) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }
}
