/**
 * Questions over TCP and TLS: connections are kept for the next question and carry several at once (RFC 7766), each with an id of its own; answers may
 * come in any order.
 */
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';
import type { Message } from '../../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { checkReply, type Verdict } from './reply-check.ts';
import { aborted, broken, timedOut, UpstreamError } from './upstream-error.ts';

export interface StreamPoolOptions {
  /** A new connection; its `connect` or `secureConnect` is waited for by the socket itself, what is written before is kept. */
  readonly open: () => Duplex;
  readonly clock: Clock;
  /** A connection nobody used for so long is closed. */
  readonly expireMs: number;
  /** Idle connections that are kept; 0: any number. */
  readonly maxIdle: number;
  /** A connection so old takes no further questions; 0: any age. */
  readonly maxAgeMs: number;
  /** Whether an open connection served the question. */
  readonly onUse?: (isReused: boolean) => void;
}

export interface StreamReply {
  readonly verdict: Exclude<Verdict, 'stranger'>;
  readonly reply: Message;
}

interface Waiting {
  readonly query: Message;
  readonly resolve: (reply: StreamReply) => void;
  readonly reject: (error: UpstreamError) => void;
}

interface Connection {
  readonly socket: Duplex;
  readonly openedAt: number;
  usedAt: number;
  /** By id. */
  readonly waiting: Map<number, Waiting>;
  held: Buffer;
  /** Nothing new is asked over it. */
  isOver: boolean;
}

/** A server that answers one after the other makes others wait behind a slow one: so a few connections before many questions on one. */
const MOST_CONNECTIONS = 8;
const MOST_WAITING = 128;

export class StreamPool {
  readonly #options: StreamPoolOptions;
  readonly #connections = new Set<Connection>();

  constructor(options: StreamPoolOptions) {
    this.#options = options;
  }

  /** @throws UpstreamError */
  async ask(query: Message, timeoutMs: number, signal: AbortSignal): Promise<StreamReply> {
    const free = this.#pick();
    this.#options.onUse?.(free !== undefined);
    if (!free) return this.#askOn(this.#connect(), query, timeoutMs, signal);
    try {
      return await this.#askOn(free, query, timeoutMs, signal);
    } catch (error) {
      // A kept connection may have been closed by the other side just now: that says nothing about the server.
      if (!(error instanceof UpstreamError) || error.kind !== 'at once') throw error;
      return this.#askOn(this.#connect(), query, timeoutMs, signal);
    }
  }

  /** What is under way is still waited for. */
  close(): void {
    for (const connection of this.#connections) this.#retire(connection);
  }

  /** Connections that are open, for tests and people. */
  get size(): number {
    return this.#connections.size;
  }

  #pick(): Connection | undefined {
    const now = this.#options.clock.now();
    const { expireMs, maxAgeMs } = this.#options;
    let best: Connection | undefined;
    for (const each of this.#connections) {
      if (each.isOver) continue;
      if (maxAgeMs > 0 && now - each.openedAt >= maxAgeMs) this.#retire(each);
      else if (each.waiting.size === 0 && now - each.usedAt >= expireMs) this.#retire(each);
      else if (!best || each.waiting.size < best.waiting.size) best = each;
    }
    if (!best || (best.waiting.size > 0 && this.#connections.size < MOST_CONNECTIONS)) return undefined;
    return best.waiting.size < MOST_WAITING ? best : undefined;
  }

  #connect(): Connection {
    if (this.#connections.size >= MOST_CONNECTIONS * 2)
      throw new UpstreamError('at once', 'has too many questions waiting');
    const now = this.#options.clock.now();
    const socket = this.#options.open();
    const connection: Connection = {
      socket,
      openedAt: now,
      usedAt: now,
      waiting: new Map(),
      held: Buffer.alloc(0),
      isOver: false,
    };
    this.#connections.add(connection);
    socket.on('error', (error) => {
      this.#end(connection, broken(error));
    });
    socket.on('close', () => {
      this.#end(connection, new UpstreamError('at once', 'closed the connection'));
    });
    socket.on('end', () => {
      this.#end(connection, new UpstreamError('at once', 'closed the connection'));
    });
    socket.on('data', (chunk: Buffer) => {
      this.#take(connection, chunk);
    });
    return connection;
  }

  #askOn(connection: Connection, query: Message, timeoutMs: number, signal: AbortSignal): Promise<StreamReply> {
    return new Promise((resolve, reject) => {
      const id = freeId(connection.waiting);
      const finish = () => {
        cancel();
        signal.removeEventListener('abort', onAbort);
        connection.waiting.delete(id);
        this.#rest(connection);
      };
      const fail = (error: UpstreamError) => {
        finish();
        reject(error);
      };
      const onAbort = () => {
        fail(aborted());
      };
      const cancel = this.#options.clock.after(timeoutMs, () => {
        // Silence on a connection is a dead one: the next question gets another.
        connection.isOver = true;
        fail(timedOut(timeoutMs));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      connection.usedAt = this.#options.clock.now();
      connection.waiting.set(id, {
        query: { ...query, id },
        resolve: (reply) => {
          finish();
          resolve(reply);
        },
        reject: fail,
      });
      connection.socket.write(framed(encodeMessage({ ...query, id }, MAX_MESSAGE)));
      if (signal.aborted) onAbort();
    });
  }

  #take(connection: Connection, chunk: Buffer): void {
    let held = connection.held.length === 0 ? chunk : Buffer.concat([connection.held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      this.#deliver(connection, held.subarray(2, end));
      held = held.subarray(end);
    }
    connection.held = held;
  }

  #deliver(connection: Connection, bytes: Buffer): void {
    const waiting = bytes.length >= 12 ? connection.waiting.get(bytes.readUInt16BE(0)) : undefined;
    if (!waiting) return;
    try {
      const reply = decodeMessage(bytes);
      const verdict = checkReply(waiting.query, reply);
      if (verdict !== 'stranger') waiting.resolve({ verdict, reply });
      else waiting.reject(new UpstreamError('at once', 'answered another question than was asked'));
    } catch (error) {
      waiting.reject(broken(error));
    }
  }

  /** With nothing more to wait for: kept for the next question, or closed. */
  #rest(connection: Connection): void {
    if (connection.waiting.size > 0 || !this.#connections.has(connection)) return;
    const { maxIdle, expireMs, clock } = this.#options;
    const idle = [...this.#connections].filter(({ waiting }) => waiting.size === 0).length;
    if (connection.isOver || (maxIdle > 0 && idle > maxIdle)) {
      this.#retire(connection);
      return;
    }
    const { usedAt } = connection;
    clock.after(
      expireMs,
      () => {
        if (connection.waiting.size === 0 && connection.usedAt === usedAt) this.#retire(connection);
      },
      true,
    );
  }

  /** Takes no more; closed once the last answer is in. */
  #retire(connection: Connection): void {
    connection.isOver = true;
    if (connection.waiting.size === 0) this.#end(connection, aborted());
  }

  #end(connection: Connection, error: UpstreamError): void {
    if (!this.#connections.delete(connection)) return;
    connection.isOver = true;
    for (const { reject } of [...connection.waiting.values()]) reject(error);
    connection.socket.destroy();
  }
}

function freeId(taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = randomInt(0x10000);
    if (!taken.has(id)) return id;
  }
}

/** With the length in front, as messages travel over TCP (RFC 1035, 4.2.2). */
export function framed(bytes: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}
