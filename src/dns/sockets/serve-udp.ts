/** One UDP socket: packets that are ready go out at once, the rest when the chain has answered. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Asker } from '../plugin.ts';
import { busyReply, replyBytes } from './reply-bytes.ts';
import type { ServeOptions } from './serve.ts';
import { sourceOf } from '../packets/source.ts';

/** What the kernel holds while we are busy: 20 ms of 100,000 queries a second are 2,000 of them, and each counts for 768 bytes at least. */
const RECEIVE_BUFFER = 4 << 20;
const SEND_BUFFER = 1 << 20;
/** Questions that wait for a slow answer; further ones are told SERVFAIL. A pod's resolver has one or two under way. */
const MAX_UNDER_WAY = 10_000;
/** Bytes of answers that the kernel did not take at once; further ones are left out, and asked for again. */
const MAX_UNSENT = 4 << 20;

export interface OpenSocket {
  /** The one that was taken where 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** An address is one already: without this each answer would be queued to be looked up first. */
const noLookup = (address: string, _family: unknown, done: (error: null, address: string, family: number) => void) => {
  done(null, address, address.includes(':') ? 6 : 4);
};

/** Questions under way, of all sockets that belong together. */
export interface Load {
  underWay: number;
}

export interface UdpOptions extends ServeOptions {
  readonly load: Load;
  /** Beside sockets of other addresses on the same port. */
  readonly isOneOfSeveral?: boolean;
}

/** @throws the socket's error where the address or port cannot be had */
export function openUdp(options: UdpOptions): Promise<OpenSocket> {
  const { address, port, log, isOneOfSeveral = false } = options;
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    // or :: would take IPv4 as well, and 0.0.0.0 beside it could not be had
    ipv6Only: address.includes(':'),
    reuseAddr: isOneOfSeveral,
    recvBufferSize: RECEIVE_BUFFER,
    sendBufferSize: SEND_BUFFER,
    lookup: noLookup,
  });
  socket.on('message', receiver(socket, options));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', (error) => {
        log.warn({ err: error }, 'UDP socket');
      });
      resolve({ port: socket.address().port, close: () => closed(socket) });
    });
  });
}

function receiver(socket: Socket, options: UdpOptions): (bytes: Buffer, sender: RemoteInfo) => void {
  const { respond, log, packets, load, maxUnderWay = MAX_UNDER_WAY } = options;
  const table = packets?.table;
  const source = packets ? sourceOf(packets.number, 'udp', options.address.includes(':') ? 'IPv6' : 'IPv4') : 0;
  const keeping = table && { table, source };
  /** The kernel did not take all at once, so some of it may wait still. */
  let isBehind = false;
  const send = (reply: Buffer, length: number, sender: RemoteInfo) => {
    // Not taken, or the client has gone: it asks again.
    if (isBehind && socket.getSendQueueSize() >= MAX_UNSENT) return;
    try {
      socket.send(reply, 0, length, sender.port, sender.address);
      isBehind = socket.getSendQueueCount() > 0;
    } catch {
      // Closed meanwhile.
    }
  };
  return (bytes, sender) => {
    const ready = packets && !packets.isLeftOut() ? packets.table.find(bytes, source, false) : 0;
    if (table && ready > 0) {
      send(table.out, ready, sender);
      // What the kernel did not take at once is sent from these bytes later.
      if (isBehind) table.out = Buffer.alloc(table.out.length);
      return;
    }
    if (load.underWay >= maxUnderWay) {
      const busy = busyReply(bytes);
      if (busy) send(busy, busy.length, sender);
      return;
    }
    load.underWay++;
    const asker: Asker = { address: sender.address.replace(/%.*$/, ''), port: sender.port, transport: 'udp' };
    void replyBytes(bytes, asker, respond, log, keeping).then((reply) => {
      load.underWay--;
      if (reply) send(reply, reply.length, sender);
    });
  };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => {
      resolve();
    });
  });
}
