/**
 * One netlink socket, kept open. The kernel works on a request within `send`, so small ones are sent and answered on the calling thread in
 * microseconds; what may take longer goes to a worker thread. A socket does one thing at a time: `exclusive` queues the rest.
 */
import { errnoName, libc, type Libc } from './libc.ts';
import { attributes, messages, text, type Message } from './message-reader.ts';
import type { MessageWriter } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_NO_ENOBUFS = 5;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** The kernel writes dumps in pieces of at most 32 KiB when it is given that much room; a multicast message of one rule may be larger. */
const RECEIVE_BYTES = 128 * 1024;
const MSG_TRUNC = 0x20;
/** From here on a request goes to a worker thread: nf_tables takes about 1 ms for it. */
const LONG_BYTES = 32 * 1024;

/** An answer to one message of a request: `code` 0 is an acknowledgement. */
export interface Answer {
  readonly seq: number;
  readonly code: number;
  /** The kernel's own words, or ''. */
  readonly detail: string;
  /** Where in the message the attribute starts that it could not take. */
  readonly offset: number | undefined;
}

export interface DumpEnd {
  /** Something changed meanwhile: what was told does not fit together. */
  readonly interrupted: boolean;
}

export class NetlinkSocket {
  readonly portId: number;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #into = Buffer.alloc(RECEIVE_BYTES);
  #sendRoom = LONG_BYTES;
  #seq = 1;
  #open = true;
  #stopReading: (() => void) | undefined;
  #turn: Promise<unknown> | undefined;

  /** In the network namespace of the calling thread, where it stays. Throws NetlinkError, EPROTONOSUPPORT where the kernel lacks the protocol. */
  constructor(protocol: number) {
    this.#libc = libc();
    this.#fd = this.#libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, protocol);
    if (this.#fd < 0) throw this.#failed('socket');
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    const length = Buffer.from([12, 0, 0, 0]);
    if (this.#libc.bind(this.#fd, address, 12) < 0 || this.#libc.getsockname(this.#fd, address, length) < 0) {
      const error = this.#failed('bind');
      this.close();
      throw error;
    }
    this.portId = address.readUInt32LE(4);
    // without these the answers are longer and say less; with them a lost acknowledgement is noticed by its absence
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_NO_ENOBUFS]) this.#set(SOL_NETLINK, option, 1);
  }

  /** A number for the next message, the `count` - 1 behind it left to the caller. 32 bits: after the last comes 0. */
  nextSeq(count = 1): number {
    const seq = this.#seq;
    this.#seq = (seq + count) >>> 0;
    return seq;
  }

  /** Runs `work` when everything asked before is done: at once, within this call, when nothing is under way. */
  exclusive<T>(work: () => T | Promise<T>): Promise<T> {
    const run = async () => work();
    const result = this.#turn ? this.#turn.then(run) : run();
    const turn = result.then(
      () => undefined,
      () => undefined,
    );
    this.#turn = turn;
    void turn.then(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    return result;
  }

  /**
   * Sends what is written and returns the kernel's answers, in order; messages that are no answers go to `onMessage`. To be called within `exclusive`.
   * Throws NetlinkError when nothing could be sent.
   */
  async transact(request: MessageWriter, onMessage?: (message: Message) => void): Promise<Answer[]> {
    if (request.length < LONG_BYTES) return this.transactNow(request, onMessage);
    await this.#sendLong(request);
    return this.#answers(onMessage);
  }

  /** As `transact`, without leaving the calling thread. */
  transactNow(request: MessageWriter, onMessage?: (message: Message) => void): Answer[] {
    this.#send(request);
    return this.#answers(onMessage);
  }

  /**
   * Sends a request for a dump and calls back for every message of it; between two pieces other work of the process gets its turn. With `long` also the
   * kernel's own work is done on another thread: for tables that may be large. To be called within `exclusive`. Throws NetlinkError with the kernel's errno.
   */
  async dump(
    request: MessageWriter,
    tried: readonly string[],
    onMessage: (message: Message) => void,
    long = false,
  ): Promise<DumpEnd> {
    if (long) await this.#sendLong(request);
    else this.#send(request);
    try {
      return await this.#readDump(tried, onMessage, long);
    } catch (error) {
      // the kernel answers EBUSY to the next dump, and its messages lie before those of any answer, until this one was read to its end
      this.#discard();
      throw error;
    }
  }

  async #readDump(tried: readonly string[], onMessage: (message: Message) => void, long: boolean): Promise<DumpEnd> {
    let interrupted = false;
    let breathed = performance.now();
    for (;;) {
      const datagram = long ? await this.#receiveLong() : this.#receive();
      if (!datagram) throw new NetlinkError(tried, 'ENODATA', 'the dump ended early');
      for (const message of messages(datagram)) {
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE) return { interrupted };
        if (message.type === NLMSG_ERROR) {
          const { code, detail } = answer(message);
          if (code === 0) return { interrupted };
          throw new NetlinkError(tried, errnoName(code), detail);
        }
        onMessage(message);
      }
      if (!long && performance.now() - breathed > 5) {
        await new Promise((resolve) => setImmediate(resolve));
        breathed = performance.now();
      }
    }
  }

  /**
   * Joins a multicast group: `onMessage` is called for each of its messages, `onLost` when some came faster than they could be read. Messages that a
   * socket with port `except` is the cause of are not delivered. For a socket that does nothing else.
   */
  subscribe(group: number, onMessage: (message: Message) => void, onLost: () => void, except?: number): void {
    this.#set(SOL_NETLINK, NETLINK_NO_ENOBUFS, 0);
    this.#room(SO_RCVBUFFORCE, SO_RCVBUF, 4 << 20);
    if (except !== undefined) this.#filter(except);
    this.#stopReading = this.#libc.onReadable(this.#fd, () => {
      this.#drain(onMessage, onLost, except);
    });
    if (!this.join(group)) throw this.#failed('subscribe');
  }

  /** Once more a member after `leave`. False when the kernel refuses, or after `close`. */
  join(group: number): boolean {
    return this.#open && this.#set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  leave(group: number): void {
    if (this.#open) this.#set(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stopReading?.();
    // a request on a worker thread must not find its number given to someone else
    void this.exclusive(() => this.#libc.closeAsync(this.#fd));
  }

  #drain(onMessage: (message: Message) => void, onLost: () => void, except: number | undefined): void {
    // bounded, so that a flood does not starve the process; what is left makes the socket readable again
    for (let count = 0; count < 256 && this.#open; count++) {
      let datagram: Buffer | undefined;
      try {
        datagram = this.#receive();
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error;
        onLost();
        continue;
      }
      if (!datagram) return;
      for (const message of messages(datagram)) if (message.portId !== except) onMessage(message);
    }
  }

  #send(request: MessageWriter): void {
    this.#prepare(request.length);
    if (this.#libc.send(this.#fd, request.buffer, request.length, 0) !== request.length) throw this.#failed('send');
  }

  async #sendLong(request: MessageWriter): Promise<void> {
    this.#prepare(request.length);
    const sent = await this.#libc.sendAsync(this.#fd, request.buffer, request.length, 0);
    // the kernel took nothing: again on this thread, where errno can be read
    if (sent !== request.length) this.#send(request);
  }

  #prepare(length: number): void {
    if (!this.#open) throw new NetlinkError(['netlink', 'send'], 'EBADF', 'the socket is closed');
    if (length <= this.#sendRoom) return;
    this.#room(SO_SNDBUFFORCE, SO_SNDBUF, length);
    this.#sendRoom = length;
  }

  #answers(onMessage?: (message: Message) => void): Answer[] {
    const found: Answer[] = [];
    for (;;) {
      const datagram = this.#receive();
      if (!datagram) return found;
      for (const message of messages(datagram)) {
        if (message.type === NLMSG_ERROR) found.push(answer(message));
        else onMessage?.(message);
      }
    }
  }

  #discard(): void {
    for (;;) {
      try {
        if (!this.#receive()) return;
      } catch (error) {
        // one too large to be read is read all the same
        if (!(error instanceof NetlinkError) || error.code !== 'EMSGSIZE') return;
      }
    }
  }

  /** The next datagram, or undefined when there is none now. Throws NetlinkError: ENOBUFS when some were dropped. */
  #receive(): Buffer | undefined {
    const length = this.#libc.recv(this.#fd, this.#into, this.#into.length, MSG_TRUNC);
    if (length < 0) {
      const error = this.#failed('recv');
      if (error.code === 'EAGAIN' || error.code === 'EINTR') return undefined;
      throw error;
    }
    return this.#received(length);
  }

  async #receiveLong(): Promise<Buffer | undefined> {
    const length = await this.#libc.recvAsync(this.#fd, this.#into, this.#into.length, MSG_TRUNC);
    return length < 0 ? this.#receive() : this.#received(length);
  }

  #received(length: number): Buffer {
    if (length > this.#into.length) throw new NetlinkError(['netlink', 'recv'], 'EMSGSIZE', 'a message is too large');
    return this.#into.subarray(0, length);
  }

  #set(level: number, option: number, value: number): boolean {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return this.#libc.setsockopt(this.#fd, level, option, bytes, 4) === 0;
  }

  /** The kernel doubles what it is told. The unforced option is cut to the machine's limit. */
  #room(forced: number, unforced: number, bytes: number): void {
    if (!this.#set(SOL_SOCKET, forced, bytes)) this.#set(SOL_SOCKET, unforced, bytes);
  }

  /** Classic BPF: drop when the 32 bits at offset 12 (`nlmsg_pid`) are `portId`. It only saves work: `#drain` looks as well. */
  #filter(portId: number): void {
    const swapped = Buffer.alloc(4);
    swapped.writeUInt32LE(portId);
    const program = Buffer.alloc(4 * 8);
    const steps = [
      [0x20, 0, 0, 12], // A = word at 12, read as big-endian
      [0x15, 0, 1, swapped.readUInt32BE()], // equal: next, else skip one
      [0x06, 0, 0, 0], // drop
      [0x06, 0, 0, 0x7fffffff], // take
    ] as const;
    for (const [index, [code, jumpTrue, jumpFalse, k]] of steps.entries()) {
      program.writeUInt16LE(code, index * 8);
      program[index * 8 + 2] = jumpTrue;
      program[index * 8 + 3] = jumpFalse;
      program.writeUInt32LE(k, index * 8 + 4);
    }
    const reference = Buffer.alloc(16);
    reference.writeUInt16LE(steps.length);
    reference.writeBigUInt64LE(this.#libc.addressOf(program), 8);
    this.#libc.setsockopt(this.#fd, SOL_SOCKET, SO_ATTACH_FILTER, reference, 16);
  }

  #failed(call: string): NetlinkError {
    return new NetlinkError(['netlink', call], this.#libc.errorName());
  }
}

/** `nlmsgerr`: the negative errno, the header of the message it is about, attributes with more words. */
function answer({ flags, seq, payload }: Message): Answer {
  const code = -payload.readInt32LE(0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { seq, code, detail: '', offset: undefined };
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? 16 : (payload.readUInt32LE(4) + 3) & ~3;
  const more = attributes(payload, 4 + echoed);
  return { seq, code, detail: text(more.get(1)), offset: more.get(2)?.readUInt32LE() };
}
