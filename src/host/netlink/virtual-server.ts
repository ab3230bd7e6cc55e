/** A virtual server of IPVS and those behind it, as netlink knows them. */
export interface VirtualServerKey {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly address: string;
  readonly port: number;
}

export interface VirtualServer extends VirtualServerKey {
  /** As the kernel names it: rr, lc, mh, … */
  readonly scheduler: string;
  /** Seconds for which a client keeps its real server; 0 or absent: not at all. */
  readonly persistence?: number;
  /** Each packet of UDP by itself (`ipvsadm --ops`). */
  readonly onePacket?: boolean;
  /** Bits of the scheduler's own (`--sched-flags`): 1 is flag-1, 2 flag-2, 4 flag-3. */
  readonly schedulerFlags?: number;
}

/** Reached by masquerading. */
export interface RealServer {
  readonly address: string;
  readonly port: number;
  /** 0: no new connections. */
  readonly weight: number;
  /** Of a listed one. */
  readonly activeConnections?: number;
  readonly inactiveConnections?: number;
}
