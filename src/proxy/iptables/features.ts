/** What of iptables and the kernel may be missing on a machine. Asked before it is used: one unknown word fails a whole restore (trap T25). */
import type { ServicePort } from '../plan/types.ts';

export interface Features {
  /** `MASQUERADE --random-fully`: iptables 1.6.2 and Linux 3.14 (3-041, trap T26). */
  readonly randomFully: boolean;
  /** The match session affinity is made of (3-051). */
  readonly recent: boolean;
  /** The match for ports of SCTP (3-071). */
  readonly sctp: boolean;
}

export const ALL_FEATURES: Features = { randomFully: true, recent: true, sctp: true };

/** Why this port cannot be spelled here; undefined: it can. */
export function missingFor(service: ServicePort, features: Features): string | undefined {
  const port = `port ${service.name} (${service.protocol})`;
  if (!features.sctp && service.protocol === 'SCTP') return `${port}: this kernel or iptables lacks the match "sctp"`;
  if (!features.recent && service.affinitySeconds !== undefined) {
    return `${port}: this kernel or iptables lacks the match "recent", which sessionAffinity is made of`;
  }
  return undefined;
}
