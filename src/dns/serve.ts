/** The sockets: UDP and TCP on one address and port. What they hand on is bytes; what they hold is bounded. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../lib/log.ts';
import type { PacketCounter } from './metrics.ts';
import type { Asker } from './plugin.ts';
import { framed } from './plugins/forward/forward.ts';
import { RCODE, replyTo, queryFor, type Message } from './wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from './wire/message-codec.ts';

/** What goes out, and who wants to know how large it was. */
export interface Response {
  readonly message: Message;
  readonly counter?: PacketCounter;
}

/** Undefined: no reply. */
export type Respond = (query: Message, asker: Asker) => Promise<Response | undefined>;

export interface ServeOptions {
  readonly address: string;
  readonly port: number;
  readonly respond: Respond;
  readonly log: Log;
}

/** What a client without EDNS takes over UDP (RFC 1035), and the most that is sent to any. */
const SMALLEST = 512;
const LARGEST_UDP = 4096;
const MAX_CONNECTIONS = 256;
const IDLE_MS = 10_000;
/** Questions of one connection that may be under way at once; further ones wait in the socket. */
const MAX_PIPELINED = 32;

/** The reply in bytes, or undefined for none. The asker's transport decides how large it may be. */
export async function replyBytes(bytes: Buffer, asker: Asker, respond: Respond, log: Log): Promise<Buffer | undefined> {
  const query = readQuery(bytes);
  if (query === undefined) return undefined;
  const limit =
    asker.transport === 'tcp' ? MAX_MESSAGE : Math.min(LARGEST_UDP, Math.max(SMALLEST, query.message.edns?.size ?? 0));
  try {
    if (query.malformed) return encodeMessage(replyTo(query.message, RCODE.FORMERR), limit);
    const began = performance.now();
    const response = await respond(query.message, asker);
    const reply = response && encodeMessage(response.message, limit);
    if (reply) response.counter?.count(bytes.length, reply.length, (performance.now() - began) / 1000);
    return reply;
  } catch (error) {
    log.error({ err: error, question: query.message.questions[0]?.name }, 'a question could not be answered');
    return encodeMessage(replyTo(query.message, RCODE.SERVFAIL), limit);
  }
}

/** What a broken message still says: enough to tell the sender. Undefined: not even that, or an answer. */
function readQuery(bytes: Buffer): { message: Message; malformed: boolean } | undefined {
  if (bytes.length < 12 || (bytes.readUInt8(2) & 0x80) !== 0) return undefined;
  try {
    return { message: decodeMessage(bytes), malformed: false };
  } catch {
    const { questions: _, ...frame } = queryFor(bytes.readUInt16BE(0), { name: '.', type: 0, class: 0 });
    const opcode = (bytes.readUInt8(2) >> 3) & 15;
    return {
      message: { ...frame, opcode, recursionDesired: (bytes.readUInt8(2) & 1) !== 0, questions: [] },
      malformed: true,
    };
  }
}

export interface DnsSockets {
  /** The port that was taken where 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** @throws the socket's error where the address or port cannot be had */
export async function serveDns(options: ServeOptions): Promise<DnsSockets> {
  const tcp = await listenTcp(options);
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
  try {
    const udp = await listenUdp({ ...options, port });
    return {
      port,
      async close() {
        await Promise.all([closed(udp), closed(tcp)]);
      },
    };
  } catch (error) {
    await closed(tcp);
    throw error;
  }
}

const connections = new WeakMap<Server, Set<Socket>>();

function closed(socket: UdpSocket | Server): Promise<void> {
  for (const connection of connections.get(socket as Server) ?? []) connection.destroy();
  return new Promise((resolve) => {
    socket.close(() => {
      resolve();
    });
  });
}

function listenUdp({ address, port, respond, log }: ServeOptions): Promise<UdpSocket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (bytes, sender) => {
    const asker: Asker = { address: sender.address.replace(/%.*$/, ''), port: sender.port, transport: 'udp' };
    void replyBytes(bytes, asker, respond, log).then((reply) => {
      if (!reply) return;
      try {
        // A client that has gone, or a full buffer: the client asks again.
        socket.send(reply, sender.port, sender.address, () => undefined);
      } catch {
        // Closed meanwhile.
      }
    });
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', (error) => {
        log.warn({ err: error }, 'UDP socket');
      });
      resolve(socket);
    });
  });
}

function listenTcp({ address, port, respond, log }: ServeOptions): Promise<Server> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serveConnection(socket, respond, log);
  });
  connections.set(server, open);
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      server.on('error', (error) => {
        log.warn({ err: error }, 'TCP socket');
      });
      resolve(server);
    });
  });
}

/** Any number of questions one after the other; replies go out as they are ready (RFC 7766). */
function serveConnection(socket: Socket, respond: Respond, log: Log): void {
  const asker: Asker = {
    address: (socket.remoteAddress ?? '').replace(/%.*$/, ''),
    port: socket.remotePort ?? 0,
    transport: 'tcp',
  };
  let held = Buffer.alloc(0);
  let underWay = 0;
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  // A client that asks and does not read would have its replies pile up here.
  const isReady = () => underWay < MAX_PIPELINED && !socket.writableNeedDrain;
  const take = () => {
    while (isReady() && held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      const bytes = held.subarray(2, end);
      held = held.subarray(end);
      underWay++;
      void replyBytes(bytes, asker, respond, log).then((reply) => {
        underWay--;
        if (reply && socket.writable) socket.write(framed(reply));
        take();
      });
    }
    // What waits is at most one whole message and what came with it: the rest stays with the sender.
    if (isReady()) socket.resume();
    else socket.pause();
  };
  socket.on('drain', take);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    take();
  });
}
