/** What TCP and UDP relays are to whoever keeps them. */
import type { Family } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';
import type { Balancer } from './balancer.ts';

export interface Relay {
  readonly balancer: Balancer;
  /** Connections, or clients, under way. */
  readonly size: number;
  /** `fd`: a socket that listens there already. Rejects with the system's error (`code` EADDRINUSE, …). To be called once. */
  listen(host: string, port: number, fd?: number): Promise<void>;
  /** Addresses that still serve: what goes to others may not begin anew there. */
  keepOnly(serving: readonly string[]): void;
  /** Takes nothing new; what is established goes on to its end. Resolves when the port is free. */
  close(): Promise<void>;
  /** As `close`, where the next proxy takes over: who waits for an answer still gets it. `size` is 0 once nobody does. */
  handOver(): Promise<void>;
  /** Ends all at once. */
  destroy(): void;
}

/** Counted over all relays of a proxy. */
export class RelayCounters {
  connections = 0;
  datagrams = 0;
  dialFailures = 0;
  /** No endpoint took it. */
  refused = 0;
  /** Ended by an error of either side. */
  broken = 0;
}

/** What all relays of a proxy have in common: there may be tens of thousands, so each keeps little of its own. */
export interface RelayParts {
  readonly family: Family;
  readonly counters: RelayCounters;
  readonly log: Log;
  /** ms a UDP client may be silent before its way is forgotten (3-135). */
  readonly udpIdleTimeout: number;
}
