/** Endpoints for the tests of relays: servers on loopback that say their name, and clients that ask. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { silentLog } from '../../lib/log.ts';
import { Affinity } from './affinity.ts';
import { Balancer, type Target } from './balancer.ts';
import { RelayCounters, type RelayParts } from './relay.ts';

/** `how` is told of each connection; says the name and ends where absent. */
export async function tcpEndpoint(
  name: string,
  how: (socket: Socket) => void = (socket) => socket.end(name),
): Promise<{ target: Target; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    how(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { target: targetAt((server.address() as AddressInfo).port), server };
}

/** Answers `NAME:` and what it was sent, after `delay` ms. */
export async function udpEndpoint(name: string, delay = 0): Promise<{ target: Target; socket: UdpSocket }> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const answer = () => {
      socket.send(Buffer.concat([Buffer.from(`${name}:`), message]), from.port, from.address);
    };
    if (delay === 0) answer();
    else setTimeout(answer, delay);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { target: targetAt(socket.address().port), socket };
}

export function targetAt(port: number): Target {
  return { ip: '127.0.0.1', port, address: `127.0.0.1:${String(port)}` };
}

/** A port on which nothing listens, most likely for as long as the test runs. */
export async function freePort(): Promise<number> {
  const { target, server } = await tcpEndpoint('');
  server.close();
  await once(server, 'close');
  return target.port;
}

/** What a relay to these is made of. */
export function partsOf(
  targets: readonly Target[],
  more: { affinitySeconds?: number | undefined; udpIdleTimeout?: number } = {},
): [RelayParts, string, Balancer] {
  const balancer = new Balancer(() => 0.999, Affinity.for(more.affinitySeconds, undefined));
  balancer.set(targets);
  const { udpIdleTimeout = 250 } = more;
  const parts: RelayParts = { family: 'IPv4', counters: new RelayCounters(), log: silentLog, udpIdleTimeout };
  return [parts, 'default/test:', balancer];
}

/** What a connection is told until it ends; the code of the error where it ends otherwise. */
export function askTcp(port: number, send?: string | Buffer, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? 'error');
    });
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('end', () => {
      resolve(text);
    });
    if (send !== undefined) socket.end(send);
  });
}
