/**
 * A UDP relay: every client address has a socket of its own towards its endpoint, so that answers find their way back, until nothing
 * came from it for a while (3-135). Datagrams are whole here whatever their size: the kernel joins fragments before it hands them
 * over, and answers ICMP errors itself (traps T32, T33).
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { joinHostPort } from '../../lib/ip.ts';
import type { Balancer, Target } from './balancer.ts';
import type { Relay, RelayParts } from './relay.ts';

/** Clients at a time; whoever was silent longest makes room. */
const MOST_CLIENTS = 4096;
/** ms an answer may take, whatever the idle time: names looked up far away take longer than the quarter of a second that is its default. */
const ANSWER_PATIENCE = 5000;
/** Datagrams kept while a socket is being made, which takes one turn of the event loop. */
const MOST_WAITING = 64;

interface Way {
  readonly client: string;
  readonly endpoint: Target;
  readonly socket: Socket;
  /** undefined: connected. */
  waiting: Buffer[] | undefined;
  usedAt: number;
  /** Nothing came back since the client last spoke. */
  isAsking: boolean;
}

export class UdpRelay implements Relay {
  readonly parts: RelayParts;
  /** For the log. */
  readonly name: string;
  readonly balancer: Balancer;
  readonly #server: Socket;
  readonly #type: 'udp4' | 'udp6';
  /** `ip:port` of a client -> its way, whoever was silent longest first. */
  readonly #ways = new Map<string, Way>();
  /** Their endpoint is gone, and what they asked it may still be answered. */
  readonly #leaving = new Set<Way>();
  #sweep: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isLeaving = false;

  constructor(parts: RelayParts, name: string, balancer: Balancer) {
    this.parts = parts;
    this.name = name;
    this.balancer = balancer;
    this.#type = parts.family === 'IPv6' ? 'udp6' : 'udp4';
    const ipv6Only = parts.family === 'IPv6';
    // shared with the next proxy, as TCP is
    this.#server = createSocket({ type: this.#type, ipv6Only, reusePort: true });
    this.#server.on('message', (message, from) => {
      this.#fromClient(message, from);
    });
  }

  /** Clients that have a way. */
  get size(): number {
    return this.#ways.size;
  }

  listen(host: string, port: number, fd?: number): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.bind(fd === undefined ? { address: host, port } : { fd }, () => {
        server.off('error', reject);
        server.on('error', (error) => {
          this.parts.log.debug({ err: error, service: this.name }, 'a relay could not answer a client');
        });
        resolve();
      });
    });
  }

  /** A client of an endpoint that is gone would be sent there for ever, as long as it speaks (trap T1): what it says next goes to another. */
  keepOnly(serving: readonly string[]): void {
    if (this.#ways.size === 0) return;
    const addresses = new Set(serving);
    for (const way of this.#ways.values()) if (!addresses.has(way.endpoint.address)) this.#leave(way);
  }

  #leave(way: Way): void {
    if (!way.isAsking) {
      this.#end(way);
      return;
    }
    this.#ways.delete(way.client);
    this.#leaving.add(way);
    setTimeout(() => {
      this.#end(way);
    }, ANSWER_PATIENCE).unref();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Until a moment in which nobody waits for an answer: what is read here is lost to the next proxy, so it is served. */
  handOver(): Promise<void> {
    this.#isLeaving = true;
    this.#closeIfQuiet();
    return Promise.resolve();
  }

  destroy(): void {
    void this.close();
  }

  #closeIfQuiet(): void {
    // an answer is on its way out only after this turn
    if (this.#isLeaving && this.#isQuiet()) setImmediate(() => this.#isQuiet() && void this.close());
  }

  #isQuiet(): boolean {
    return this.#leaving.size === 0 && !this.#ways.values().some((way) => way.isAsking);
  }

  #close(): Promise<void> {
    clearTimeout(this.#sweep);
    for (const way of [...this.#ways.values(), ...this.#leaving]) this.#end(way);
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #fromClient(message: Buffer, from: RemoteInfo): void {
    this.parts.counters.datagrams++;
    const client = joinHostPort(from.address, from.port);
    const way = this.#ways.get(client) ?? this.#open(client, from);
    if (!way) {
      this.parts.counters.refused++;
      return;
    }
    this.#touch(way, true);
    if (!way.waiting) way.socket.send(message);
    else if (way.waiting.length < MOST_WAITING) way.waiting.push(message);
  }

  #open(client: string, { address, port }: RemoteInfo): Way | undefined {
    const endpoint = this.balancer.next(address);
    if (!endpoint) return undefined;
    const socket = createSocket(this.#type);
    const way: Way = { client, endpoint, socket, waiting: [], usedAt: 0, isAsking: true };
    socket.on('message', (message) => {
      this.#server.send(message, port, address);
      if (this.#leaving.has(way)) this.#end(way);
      else this.#touch(way, false);
      this.#closeIfQuiet();
    });
    socket.on('error', () => {
      // refused: the next datagram goes to another
      this.parts.counters.broken++;
      this.balancer.affinity?.forget(address);
      this.#end(way);
      this.#closeIfQuiet();
    });
    socket.once('connect', () => {
      const { waiting = [] } = way;
      way.waiting = undefined;
      if (this.#ways.get(client) === way || this.#leaving.has(way)) {
        for (const message of waiting) socket.send(message);
      }
    });
    socket.connect(endpoint.port, endpoint.ip);
    if (this.#ways.size >= MOST_CLIENTS) {
      const [longest] = this.#ways.values();
      if (longest) this.#end(longest);
    }
    return way;
  }

  #touch(way: Way, isAsking: boolean): void {
    way.usedAt = performance.now();
    way.isAsking = isAsking;
    this.#ways.delete(way.client);
    this.#ways.set(way.client, way);
    this.#sweep ??= setTimeout(this.#endSilent, this.parts.udpIdleTimeout).unref();
  }

  /** One timer for all, due when the next of them may have been silent for long enough. */
  readonly #endSilent = (): void => {
    const { udpIdleTimeout } = this.parts;
    const now = performance.now();
    let next = Infinity;
    for (const way of this.#ways.values()) {
      const patience = way.isAsking ? Math.max(udpIdleTimeout, ANSWER_PATIENCE) : udpIdleTimeout;
      const left = way.usedAt + patience - now;
      if (left > 0) next = Math.min(next, left);
      else this.#end(way);
    }
    // a way that is answered meanwhile falls due sooner than now seems
    const wait = Math.max(1, Math.min(next, udpIdleTimeout));
    this.#sweep = next === Infinity ? undefined : setTimeout(this.#endSilent, wait).unref();
  };

  #end(way: Way): void {
    if (this.#ways.get(way.client) === way) this.#ways.delete(way.client);
    this.#leaving.delete(way);
    way.waiting = [];
    try {
      way.socket.close();
    } catch {
      // it ended by itself
    }
  }
}
