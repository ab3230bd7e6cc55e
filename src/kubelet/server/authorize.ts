/** Who may use the kubelet's API: whoever may do anything in the cluster, and its API server. Pure. */
import type { PeerCertificate } from 'node:tls';

export interface Peer {
  readonly user: string;
  readonly groups: readonly string[];
}

/** Name and groups of a client certificate: CN and O, as Kubernetes reads them. */
export function peerOf(certificate: PeerCertificate): Peer {
  const { CN, O } = (certificate as Partial<PeerCertificate>).subject ?? {};
  const list = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
  return { user: list(CN)[0] ?? '', groups: list(O) };
}

export function isAllowed({ user, groups }: Peer): boolean {
  return groups.includes('system:masters') || /^kube-apiserver($|-)/.test(user);
}
