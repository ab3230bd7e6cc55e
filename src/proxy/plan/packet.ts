/** The first packet of a connection, as the oracle and the tracers of all backends see it. */
import type { Protocol } from './types.ts';

export interface Packet {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Sent by a process of the node itself, not forwarded. */
  readonly fromNode: boolean;
  /** The interface it came in on, where the local detector asks. */
  readonly interface?: string;
  /** `ip:port` of the endpoint this client was given before, within the affinity time; for Services with affinity. */
  readonly remembered?: string;
}
