/** The TCP socket (RFC 7766): any number of questions one after the other on each connection; replies go out as they are ready. */
import { createServer, type Server, type Socket } from 'node:net';
import { sourceOf } from '../packets/source.ts';
import type { Asker } from '../plugin.ts';
import { replyBytes } from './reply-bytes.ts';
import type { ServeOptions } from './serve.ts';
import type { OpenSocket } from './serve-udp.ts';

export interface TcpLimits {
  /** In all, and of one address. Where there are as many, one that waits for nothing makes room, and else the new one is closed. */
  readonly connections: number;
  readonly connectionsOfOne: number;
  /** Questions of one connection that may be under way at once; further ones wait in the socket. */
  readonly pipelined: number;
  /** ms without a whole question, and without an answer being taken. */
  readonly idle: number;
}

export const LIMITS: TcpLimits = { connections: 512, connectionsOfOne: 64, pipelined: 32, idle: 10_000 };
/** Handshakes that nobody has taken over yet; the kernel has its own for half-open ones. */
const BACKLOG = 511;

export function listenTcp(options: ServeOptions): Promise<OpenSocket> {
  const { address, port, log } = options;
  const limits = { ...LIMITS, ...options.tcp };
  const open = new Connections(limits);
  // A client may have nothing more to say and still listen.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = open.admit(socket);
    if (connection) serveConnection(connection, options, limits.pipelined);
  });
  const sweep = setInterval(
    () => {
      open.sweep();
    },
    Math.max(10, limits.idle / 10),
  ).unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      clearInterval(sweep);
      reject(error);
    });
    server.listen({ port, host: address, backlog: BACKLOG, ipv6Only: true }, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => {
        log.warn({ err: error }, 'TCP socket');
      });
      resolve({
        port: portOf(server) ?? port,
        close: () => {
          clearInterval(sweep);
          open.closeAll();
          return new Promise((done) => {
            server.close(() => {
              done();
            });
          });
        },
      });
    });
  });
}

function portOf(server: Server): number | undefined {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : undefined;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  underWay: number;
  /** When the last whole question came or the last answer was taken: bytes of half a question do not count. */
  activeAt: number;
}

class Connections {
  readonly #limits: TcpLimits;
  /** Those that were active last come last. */
  readonly #open = new Set<Connection>();

  constructor(limits: TcpLimits) {
    this.#limits = limits;
  }

  /** Undefined: there is no room, and it is closed. */
  admit(socket: Socket): Connection | undefined {
    socket.on('error', () => socket.destroy());
    const address = (socket.remoteAddress ?? '').replace(/%.*$/, '');
    const own = [...this.#open].filter((each) => each.address === address);
    const hasRoom =
      (own.length < this.#limits.connectionsOfOne || dropIdle(own)) &&
      (this.#open.size < this.#limits.connections || dropIdle([...this.#open]));
    if (!hasRoom) {
      socket.resetAndDestroy();
      return undefined;
    }
    const connection: Connection = { socket, address, underWay: 0, activeAt: performance.now() };
    this.#open.add(connection);
    socket.on('close', () => this.#open.delete(connection));
    return connection;
  }

  /** Closes those that let us wait. */
  sweep(): void {
    const now = performance.now();
    for (const { socket, underWay, activeAt } of this.#open) {
      const waitsForClient = underWay === 0 || socket.writableNeedDrain;
      if (waitsForClient && now - activeAt > this.#limits.idle) socket.destroy();
    }
  }

  closeAll(): void {
    for (const { socket } of this.#open) socket.destroy();
  }
}

/** False: all of them have a question under way. */
function dropIdle(connections: readonly Connection[]): boolean {
  const idle = connections.filter(({ underWay }) => underWay === 0);
  const [first, ...others] = idle;
  if (!first) return false;
  others.reduce((oldest, each) => (each.activeAt < oldest.activeAt ? each : oldest), first).socket.destroy();
  return true;
}

function serveConnection(connection: Connection, options: ServeOptions, pipelined: number): void {
  const { socket, address } = connection;
  const { respond, log, packets } = options;
  const asker: Asker = { address, port: socket.remotePort ?? 0, transport: 'tcp' };
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  const keeping = packets && { table: packets.table, source: sourceOf(packets.number, 'tcp', family) };
  let held: Buffer = Buffer.alloc(0);
  let hasEnded = false;
  // A client that asks and does not read would have its replies pile up here.
  const isReady = () => connection.underWay < pipelined && !socket.writableNeedDrain && !socket.destroyed;
  const take = () => {
    while (isReady() && held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      const bytes = held.subarray(2, end);
      held = held.subarray(end);
      connection.activeAt = performance.now();
      const ready = keeping && packets?.isLeftOut() === false ? keeping.table.find(bytes, keeping.source, true) : 0;
      if (keeping && ready > 0) {
        write(socket, keeping.table.out.subarray(0, ready));
        continue;
      }
      connection.underWay++;
      void replyBytes(bytes, asker, respond, log, keeping).then((reply) => {
        connection.underWay--;
        if (reply && socket.writable) write(socket, reply);
        take();
      });
    }
    // What waits is at most one whole message and what came with it: the rest stays with the sender.
    if (isReady()) socket.resume();
    else socket.pause();
    if (hasEnded && connection.underWay === 0 && isReady()) socket.end();
  };
  socket.on('drain', () => {
    connection.activeAt = performance.now();
    take();
  });
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    take();
  });
  socket.on('end', () => {
    hasEnded = true;
    take();
  });
}

/** With the length in front (RFC 1035, 4.2.2), in one piece. */
function write(socket: Socket, reply: Buffer): void {
  const framed = Buffer.allocUnsafe(2 + reply.length);
  framed.writeUInt16BE(reply.length);
  reply.copy(framed, 2);
  socket.write(framed);
}
