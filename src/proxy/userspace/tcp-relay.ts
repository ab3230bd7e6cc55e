/** A TCP relay: every connection it is given it makes again to an endpoint. */
import { connect, Server } from 'node:net';
import type { Balancer } from './balancer.ts';
import { join, type JoinedSocket } from './joined-sockets.ts';
import type { Relay, RelayParts } from './relay.ts';

/** ms an endpoint is waited for; each time it is the next one's turn (3-134). */
const DIAL_TIMEOUTS: readonly number[] = [250, 500, 1000, 2000];

const SOCKETS = { allowHalfOpen: true, noDelay: true } as const;

/** ms. Connections this old are probed every so often, or those whose peer vanished without a word would be kept for ever. */
const KEEP_ALIVE = 60_000;

/** Connections that wait for a turn of the event loop, or for the next proxy. */
const BACKLOG = 4096;

/** A connection whose endpoint is being dialled. Handlers are shared, as those of joined sockets. */
interface DialSocket extends JoinedSocket {
  dial?: Dial | undefined;
}

interface Dial {
  readonly relay: TcpRelay;
  readonly client: DialSocket;
  attempt: number;
  upstream: DialSocket | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Handlers are shared by all relays too: a closure for each is memory for each. */
interface RelayServer extends Server {
  relay?: TcpRelay;
  refuse?: ((error: Error) => void) | undefined;
}

export class TcpRelay implements Relay {
  readonly parts: RelayParts;
  /** For the log. */
  readonly name: string;
  readonly balancer: Balancer;
  readonly #server: RelayServer;
  /** undefined: there never was one. */
  #clients: Set<DialSocket> | undefined;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(parts: RelayParts, name: string, balancer: Balancer) {
    this.parts = parts;
    this.name = name;
    this.balancer = balancer;
    this.#server = new Server(SOCKETS);
    this.#server.relay = this;
    this.#server.on('connection', onConnection);
    this.#server.on('error', onServerError);
  }

  /** Connections under way. */
  get size(): number {
    return this.#clients?.size ?? 0;
  }

  listen(host: string, port: number, fd?: number): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.refuse = reject;
      const ipv6Only = this.parts.family === 'IPv6';
      // shared with the next proxy, so that it listens before this one ends; others that want the port are still refused
      const done = () => {
        server.refuse = undefined;
        resolve();
      };
      if (fd === undefined) server.listen({ host, port, backlog: BACKLOG, ipv6Only, reusePort: true }, done);
      else server.listen({ fd }, BACKLOG, done);
    });
  }

  /** Connections to endpoints that are gone go on to their end (graceful termination). */
  keepOnly(): void {
    return;
  }

  close(): Promise<void> {
    // the port is free at once; what the server calls back for is the end of the last connection
    this.#server.close();
    return Promise.resolve();
  }

  handOver(): Promise<void> {
    return this.close();
  }

  destroy(): void {
    this.#server.close();
    for (const client of this.#clients ?? []) client.resetAndDestroy();
  }

  /** For the handlers below, as all that follows. */
  accept(client: DialSocket): void {
    this.parts.counters.connections++;
    this.#clients ??= new Set();
    this.#clients.add(client);
    this.#keepAlive ??= setTimeout(onKeepAlive, KEEP_ALIVE, this).unref();
    client.dial = { relay: this, client, attempt: 0, upstream: undefined, timer: undefined };
    client.on('error', onError);
    client.on('close', onClientClose);
    this.call(client.dial);
  }

  /** Not when they begin: eight calls of the kernel are a good part of what a short connection costs. */
  keepAlive(): void {
    for (const client of this.#clients ?? []) {
      client.setKeepAlive(true, KEEP_ALIVE);
      client.peer?.setKeepAlive(true, KEEP_ALIVE);
    }
    this.#keepAlive = this.size === 0 ? undefined : setTimeout(onKeepAlive, KEEP_ALIVE, this).unref();
  }

  call(dial: Dial): void {
    const { attempt, client } = dial;
    // asking the kernel costs, and only affinity wants to know
    const ip = this.balancer.affinity ? (client.remoteAddress ?? '') : '';
    const timeout = DIAL_TIMEOUTS[attempt];
    const endpoint = timeout === undefined ? undefined : this.balancer.next(ip, attempt > 0);
    if (!endpoint) {
      this.parts.counters.refused++;
      this.forget(client);
      client.dial = undefined;
      client.resetAndDestroy();
      return;
    }
    const upstream: DialSocket = connect({
      host: endpoint.ip,
      port: endpoint.port,
      ...SOCKETS,
    });
    upstream.dial = dial;
    dial.upstream = upstream;
    dial.timer = setTimeout(onDialTimeout, timeout, upstream);
    upstream.on('connect', onConnect);
    upstream.on('error', onError);
  }

  forget(client: DialSocket): void {
    this.#clients?.delete(client);
  }
}

function onConnection(this: RelayServer, client: DialSocket): void {
  this.relay?.accept(client);
}

function onServerError(this: RelayServer, error: Error): void {
  if (this.refuse) this.refuse(error);
  else if (this.relay) {
    const { parts, name } = this.relay;
    parts.log.warn({ err: error, service: name }, 'a relay could not accept a connection');
  }
}

function onKeepAlive(relay: TcpRelay): void {
  relay.keepAlive();
}

function onConnect(this: DialSocket): void {
  const { dial } = this;
  if (!dial) return;
  clearTimeout(dial.timer);
  dial.upstream = undefined;
  this.dial = undefined;
  if (dial.client.destroyed) this.destroy();
  else join(dial.client, this);
}

function onDialTimeout(upstream: DialSocket): void {
  upstream.destroy(new Error('the endpoint did not answer in time'));
}

function onError(this: DialSocket): void {
  const { dial } = this;
  // others are seen when the client closes
  if (dial?.upstream !== this) return;
  clearTimeout(dial.timer);
  dial.upstream = undefined;
  dial.attempt++;
  dial.relay.parts.counters.dialFailures++;
  if (!dial.client.destroyed) dial.relay.call(dial);
}

/** Also of a client that goes while its endpoint is dialled. */
function onClientClose(this: DialSocket): void {
  const { dial } = this;
  if (!dial) return;
  dial.relay.forget(this);
  // not by two FINs
  if (!this.readableEnded || !this.writableFinished) dial.relay.parts.counters.broken++;
  clearTimeout(dial.timer);
  dial.upstream?.destroy();
}
