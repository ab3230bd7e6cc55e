/**
 * What every proxy mode is to the shell: something that makes the kernel of one node do what a Plan says, for one address family.
 * The pure half of a mode is in `modes.ts`.
 */
import type { Family } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { Exec } from '../host/exec.ts';
import type { Sysctl } from '../host/sysctl.ts';
import type { PlanProblem, PlanUpdate, Protocol } from './plan/types.ts';

export const PROXY_MODES = ['nftables', 'iptables', 'ipvs', 'userspace'] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

export interface SyncResult {
  /** `full`: the kernel was read first, or everything was written. */
  readonly kind: 'full' | 'partial';
  /** Rules, chains or elements added, changed or taken away; 0: the kernel had it all. */
  readonly changes: number;
  /** Service ports the kernel refused; all others are in force. They are tried again when they change or with the next full sync. */
  readonly refused: readonly PlanProblem[];
  /** What only some modes can tell, for the metrics that only they have (3-149, 3-150). */
  readonly figures?: SyncFigures;
}

export interface SyncFigures {
  /** Partial writes that failed on the way, before a full one worked. */
  readonly partialFailures?: number;
  /** Clean-ups after the write that failed; the rules are in force all the same. */
  readonly cleanupFailures?: number;
  /** Table of iptables -> its rules that are ours, and those this sync wrote. */
  readonly tables?: Readonly<Record<string, { readonly total: number; readonly last: number }>>;
}

/** One mode at work on one address family. Calls do not overlap. */
export interface Backend {
  /**
   * In force when it resolves. Throws HostError when nothing, or an unknown part, could be written; the next call then starts from
   * what the kernel holds and reads `update.plan`, whatever `changed` says: nothing is forgotten (trap T5).
   */
  sync(update: PlanUpdate): Promise<SyncResult>;
  /** The next sync reads the kernel first and mends whatever differs, also when one is under way now. */
  distrust(): void;
  /** False when somebody took our rules away. Cheap: asked every second. */
  isIntact(): Promise<boolean>;
  /** Calls back as soon as another program touched what is ours, where the kernel tells so; returns the stop. */
  watch?(onTampered: () => void): () => void;
  /** Whether a relay of ours answers on this port of the node: UDP flows that lead there are well (3-136). */
  isRelayPort?(protocol: Protocol, port: number): boolean;
  /** What only the kernel has counted. Asked when somebody reads the metrics, also while a sync is under way. Throws HostError. */
  counters?(): Promise<KernelCounters>;
  /** Lets go of sockets and processes. Rules stay: traffic goes on, and the next proxy adopts them (trap T12). */
  stop(): Promise<void>;
}

export interface KernelCounters {
  /** Packets dropped because conntrack called them INVALID (3-149, trap T4); undefined: there is no such rule. */
  readonly invalidDropped?: number;
}

/** What a backend is made with. */
export interface BackendContext {
  readonly family: Family;
  readonly log: Log;
  /** Runs programs in the node's network. */
  readonly exec: Exec;
  readonly sysctl: Sysctl;
  /** 0-31 (3-044). */
  readonly masqueradeBit: number;
  readonly ipvs: IpvsSettings;
  /** The defaults where absent. */
  readonly userspace?: Partial<UserspaceSettings>;
}

/** Flags of ipvs mode (3-112..3-115, 3-124). Seconds; 0 keeps what the kernel has. */
export interface IpvsSettings {
  readonly scheduler: string;
  readonly strictARP: boolean;
  readonly excludeCIDRs: readonly string[];
  readonly tcpTimeout: number;
  readonly tcpFinTimeout: number;
  readonly udpTimeout: number;
}

export const defaultIpvsSettings: IpvsSettings = {
  scheduler: 'rr',
  strictARP: false,
  excludeCIDRs: [],
  tcpTimeout: 0,
  tcpFinTimeout: 0,
  udpTimeout: 0,
};

/** Flags of userspace mode (3-131, 3-135). */
export interface UserspaceSettings {
  /** `LOW-HIGH` or `LOW+SIZE`, where relays listen; '' is any port. */
  readonly proxyPortRange: string;
  /** ms a UDP client may be silent before its way is forgotten. */
  readonly udpIdleTimeout: number;
}

export const defaultUserspaceSettings: UserspaceSettings = { proxyPortRange: '', udpIdleTimeout: 250 };

/** The effects of a mode. */
export interface BackendModule {
  /** Prepares the kernel (settings, variant of the tool) and makes a backend. Throws HostError where the mode cannot work here, with what to do. */
  create(context: BackendContext): Promise<Backend>;
  /** Takes away everything of ours and nothing else, also what an older run left. Returns what went, in words; empty: nothing was there. */
  cleanup(context: BackendContext): Promise<readonly string[]>;
  /**
   * After a switch from this mode to `inForce`, whose rules are in force by now: like `cleanup`, but spares what `inForce` uses too
   * (3-073, trap T13). For modes that share names of chains with others; absent, only a mode that shares none is cleaned up so.
   */
  cleanupBeside?(context: BackendContext, inForce: ProxyMode): Promise<readonly string[]>;
}
