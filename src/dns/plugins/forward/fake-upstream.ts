/** A server for tests that answers over UDP and TCP on one port of the loopback link, in whatever way a test wants: well, late, wrongly, not at all. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Message, Record } from '../../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { parseRecord } from '../../wire/record-parse.ts';
import { framed } from './stream-pool.ts';

/** A line of a zone file. @throws Error where it is none */
export function recordOf(line: string): Record {
  const record = parseRecord(line);
  if (typeof record === 'string') throw new Error(`${line}: ${record}`);
  return record;
}

/** One per line. */
export const recordsOf = (lines: string): Record[] => lines.split('\n').filter(Boolean).map(recordOf);

/** One question that came in. */
export interface Asked {
  readonly query: Message;
  readonly over: 'udp' | 'tcp';
  /** Of whoever asked. */
  readonly port: number;
  /** Of the connection, from 1; 0 over UDP. */
  readonly connection: number;
  /** Sends a datagram from the server's own port. */
  readonly send: (bytes: Buffer) => void;
}

/** What it says; bytes go out as they are, undefined is silence. */
export type Answering = (asked: Asked) => Message | Buffer | undefined | Promise<Message | Buffer | undefined>;

export interface FakeUpstream {
  readonly port: number;
  /** As a Corefile names it. */
  readonly to: string;
  /** In the order they came. */
  readonly asked: readonly Asked[];
  /** `asked` without the health checks. */
  readonly questions: readonly Asked[];
  answer: Answering;
  close(): Promise<void>;
}

export interface FakeUpstreamOptions {
  /** 127.0.0.1 where absent. */
  readonly address?: string;
  readonly withoutTcp?: boolean;
  /** Any where absent. */
  readonly port?: number;
}

export async function fakeUpstream(answer: Answering, options: FakeUpstreamOptions = {}): Promise<FakeUpstream> {
  const { address = '127.0.0.1', withoutTcp = false } = options;
  const asked: Asked[] = [];
  const connections = new Set<Socket>();
  let count = 0;
  let isClosed = false;
  const take = async (one: Asked, reply: (bytes: Buffer) => void): Promise<void> => {
    asked.push(one);
    const told = await fake.answer(one);
    if (told && !isClosed) reply(Buffer.isBuffer(told) ? told : encodeMessage(told, MAX_MESSAGE));
  };
  const tcp = createServer((socket) => {
    const connection = ++count;
    connections.add(socket);
    let held = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const query = decodeMessage(held.subarray(2, 2 + held.readUInt16BE(0)));
        held = held.subarray(2 + held.readUInt16BE(0));
        const port = socket.remotePort ?? 0;
        void take({ query, over: 'tcp', port, connection, send: () => undefined }, (bytes) =>
          socket.write(framed(bytes)),
        );
      }
    });
  });
  const { udp, port } = await bindBoth(tcp, { address, withoutTcp, ...options });
  udp.on('message', (bytes, { port: from, address: host }) => {
    const send = (reply: Buffer) => {
      udp.send(reply, from, host);
    };
    void take({ query: decodeMessage(bytes), over: 'udp', port: from, connection: 0, send }, send);
  });
  const fake: FakeUpstream = {
    port,
    to: `${address}:${String(port)}`,
    asked,
    get questions() {
      return asked.filter(({ query }) => query.questions[0]?.name !== '.');
    },
    answer,
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const socket of connections) socket.destroy();
      udp.close();
      await once(udp, 'close');
      if (!tcp.listening) return;
      tcp.close();
      await once(tcp, 'close');
    },
  };
  return fake;
}

/** The same port for both: the one that UDP got may be taken for TCP, then another is tried. */
async function bindBoth(
  tcp: Server,
  { address, withoutTcp, port = 0 }: { address: string; withoutTcp: boolean; port?: number },
): Promise<{ udp: UdpSocket; port: number }> {
  for (let tries = 0; ; tries++) {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    udp.bind(port, address);
    await once(udp, 'listening');
    const bound = udp.address().port;
    if (withoutTcp) return { udp, port: bound };
    try {
      tcp.listen(bound, address);
      await once(tcp, 'listening');
      return { udp, port: bound };
    } catch (error) {
      udp.close();
      if (tries === 5) throw error;
    }
  }
}
