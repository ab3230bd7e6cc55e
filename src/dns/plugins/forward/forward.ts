/**
 * Asks the upstream servers: over UDP from a port of its own per question, over TCP where the answer was cut off, the next server when one
 * does not answer in time.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { sameName } from '../../wire/domain-name.ts';
import { queryFor, RCODE, type Message, type Question } from '../../wire/message.ts';
import type { Upstream } from './upstreams.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';

/** What answers may be as large as over UDP: fits an Ethernet frame, so it is never fragmented. */
const UDP_SIZE = 1232;

export interface ForwardOptions {
  readonly upstreams: readonly Upstream[];
  /** Per server; 1000 where absent. */
  readonly timeoutMs?: number;
  /** Questions under way at once, further ones are refused (feature 4-051); 1000 where absent. */
  readonly maxConcurrent?: number;
  /** Which server is asked first; random where absent. */
  readonly pick?: (count: number) => number;
}

export interface Forwarder {
  /** The upstream's answer, or just the code when there is none: SERVFAIL, or REFUSED when too much is under way. Never throws. */
  ask(question: Question): Promise<Message | { readonly rcode: number }>;
}

export function createForwarder(options: ForwardOptions): Forwarder {
  const { upstreams, timeoutMs = 1000, maxConcurrent = 1000, pick = (count) => randomInt(count) } = options;
  let underWay = 0;
  return {
    async ask(question) {
      if (upstreams.length === 0) return { rcode: RCODE.SERVFAIL };
      if (underWay >= maxConcurrent) return { rcode: RCODE.REFUSED };
      underWay++;
      try {
        const first = pick(upstreams.length);
        for (let turn = 0; turn < Math.min(upstreams.length, 3); turn++) {
          const upstream = upstreams[(first + turn) % upstreams.length];
          const reply = upstream && (await askOne(upstream, question, timeoutMs));
          // A server that cannot say is no better than one that is down.
          if (reply && reply.rcode !== RCODE.SERVFAIL && reply.rcode !== RCODE.REFUSED) return reply;
        }
        return { rcode: RCODE.SERVFAIL };
      } finally {
        underWay--;
      }
    },
  };
}

/** Undefined: no usable answer in time. */
async function askOne(upstream: Upstream, question: Question, timeoutMs: number): Promise<Message | undefined> {
  const query = queryFor(randomInt(0x10000), question, { size: UDP_SIZE, version: 0, dnssecOk: false });
  const bytes = encodeMessage(query, MAX_MESSAGE);
  const reply = await overUdp(upstream, query, bytes, timeoutMs);
  return reply?.truncated ? ((await overTcp(upstream, query, bytes, timeoutMs)) ?? reply) : reply;
}

/** The answer to `query` out of `bytes`, or undefined: a stranger's, a late one's, or garbage. */
function readReply(query: Message, bytes: Buffer): Message | undefined {
  try {
    const reply = decodeMessage(bytes);
    const [asked, answered] = [query.questions[0], reply.questions[0]];
    const fits =
      reply.isResponse &&
      reply.id === query.id &&
      asked?.type === answered?.type &&
      sameName(asked?.name ?? '', answered?.name ?? '');
    return fits ? reply : undefined;
  } catch {
    return undefined;
  }
}

function overUdp(
  { address, port }: Upstream,
  query: Message,
  bytes: Buffer,
  timeoutMs: number,
): Promise<Message | undefined> {
  return new Promise((resolve) => {
    // A socket per question: its random port is, with the id, what a forger would have to guess.
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    let isOver = false;
    const end = (reply: Message | undefined) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs, undefined);
    socket.on('error', () => {
      end(undefined);
    });
    socket.on('message', (datagram) => {
      const reply = readReply(query, datagram);
      if (reply) end(reply);
    });
    // Connected, so that the kernel drops what others send and reports a closed port at once. Without a route there, it refuses.
    const send = (refused?: Error) => {
      if (isOver) return;
      if (refused) {
        end(undefined);
        return;
      }
      socket.send(bytes, (error) => {
        if (error) end(undefined);
      });
    };
    socket.connect(port, address, send);
  });
}

function overTcp(
  { address, port }: Upstream,
  query: Message,
  bytes: Buffer,
  timeoutMs: number,
): Promise<Message | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let received = Buffer.alloc(0);
    const end = (reply: Message | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs, undefined);
    socket.on('error', () => {
      end(undefined);
    });
    socket.on('close', () => {
      end(undefined);
    });
    socket.on('connect', () => {
      socket.write(framed(bytes));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      end(readReply(query, received.subarray(2, 2 + received.readUInt16BE(0))));
    });
  });
}

/** With the length in front, as messages travel over TCP (RFC 1035, 4.2.2). */
export function framed(bytes: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}
