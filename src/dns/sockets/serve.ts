/** The sockets of one address and port: UDP and TCP. What they hand on is bytes; what they hold is bounded. */
import type { Log } from '../../lib/log.ts';
import type { PacketTable } from '../packets/packet-table.ts';
import type { Respond } from './reply-bytes.ts';
import { listenTcp, type TcpLimits } from './serve-tcp.ts';
import { listenEverywhere, isEverywhere } from './serve-everywhere.ts';
import { openUdp } from './serve-udp.ts';

export interface ServeOptions {
  readonly address: string;
  readonly port: number;
  readonly respond: Respond;
  readonly log: Log;
  /** Asked before anybody else. */
  readonly packets?: PacketSource;
  /** Questions over UDP that may be under way at once; MAX_UNDER_WAY where absent. */
  readonly maxUnderWay?: number;
  /** Those not given are as LIMITS says. */
  readonly tcp?: Partial<TcpLimits>;
}

/** A table, and the number under which it knows these sockets. */
export interface PacketSource {
  readonly table: PacketTable;
  /** Below 2¹²: with transport and family it is the packets' `source`. */
  readonly number: number;
  /** True: everything goes through the chain now. */
  readonly isLeftOut: () => boolean;
}

export interface DnsSockets {
  /** The port that was taken where 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** Where any port will do, one that is free for TCP may be taken for UDP. */
const TRIES = 10;

/** @throws the socket's error where the address or port cannot be had */
export async function serveDns(options: ServeOptions): Promise<DnsSockets> {
  for (let left = options.port === 0 ? TRIES : 1; ; left--) {
    const tcp = await listenTcp(options);
    try {
      const own = { ...options, port: tcp.port, load: { underWay: 0 } };
      const udp = await (isEverywhere(options.address) ? listenEverywhere(own) : openUdp(own));
      return {
        port: tcp.port,
        async close() {
          await Promise.all([udp.close(), tcp.close()]);
        },
      };
    } catch (error) {
      await tcp.close();
      if (left <= 1) throw error;
    }
  }
}
