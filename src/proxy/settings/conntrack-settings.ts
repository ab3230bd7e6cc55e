/** How many connections the kernel may track and for how long (3-141, 3-169..3-171), as values: what is done with them is in `kernel-settings.ts`. */

/** Flags `--conntrack-…`. Seconds; 0 keeps what the kernel has. */
export interface ConntrackSettings {
  readonly maxPerCore: number;
  readonly min: number;
  readonly tcpEstablishedTimeout: number;
  readonly tcpCloseWaitTimeout: number;
  readonly udpTimeout: number;
  readonly udpStreamTimeout: number;
  /** false leaves what the kernel has, and INVALID packets are dropped by a rule; undefined, true: set where the kernel lets us (trap T4). */
  readonly tcpBeLiberal?: boolean;
}

/** kube-proxy's. An hour for CLOSE_WAIT is long against half-closed connections that are still in use (trap T35). */
export const defaultConntrackSettings: ConntrackSettings = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeout: 86_400,
  tcpCloseWaitTimeout: 3600,
  udpTimeout: 0,
  udpStreamTimeout: 0,
};

/** The most that cores alone ask for: on machines with very many of them the table would eat the memory. */
const MOST_BY_CORES = 1_048_576;

export interface ConntrackLimit {
  /** Of the kernel's setting. */
  readonly name: string;
  readonly value: number;
  /** More than that is as good: the whole machine shares these, and others may want more. */
  readonly isFloor: boolean;
}

export function conntrackLimits(settings: ConntrackSettings, cores: number): readonly ConntrackLimit[] {
  const { maxPerCore, min } = settings;
  const max = maxPerCore === 0 ? 0 : Math.max(Math.min(maxPerCore * cores, MOST_BY_CORES), min);
  const limit = (name: string, value: number, isFloor: boolean) => {
    return { name: `net.netfilter.nf_conntrack_${name}`, value, isFloor };
  };
  return [
    limit('max', max, true),
    // four to a bucket keeps lookups short
    limit('buckets', Math.ceil(max / 4), true),
    limit('tcp_timeout_established', settings.tcpEstablishedTimeout, false),
    limit('tcp_timeout_close_wait', settings.tcpCloseWaitTimeout, false),
    limit('udp_timeout', settings.udpTimeout, false),
    limit('udp_timeout_stream', settings.udpStreamTimeout, false),
  ].filter(({ value }) => value > 0);
}
