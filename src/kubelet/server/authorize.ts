/** Who asks the kubelet, and what for: a request becomes a question about this node's subresources (KEP-2862). Pure. */
import type { PeerCertificate } from 'node:tls';

export interface Peer {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Name and groups of a client certificate: CN and O, as Kubernetes reads them. */
export function peerOf(certificate: PeerCertificate): Peer {
  const { CN, O } = (certificate as Partial<PeerCertificate>).subject ?? {};
  const list = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
  return { user: list(CN)[0] ?? '', groups: list(O) };
}

/** Whoever may do anything in the cluster, and its API server: nobody need be asked about them, so streams work while it is away. */
export function isAllowed({ user, groups }: Peer): boolean {
  return groups.includes('system:masters') || /^kube-apiserver($|-)/.test(user);
}

export interface Question {
  readonly verb: string;
  /** Of `nodes`: any one of them is enough. `proxy` is the right to everything. */
  readonly subresources: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** Rights of their own: who has one of these need not have `nodes/proxy`, with which one can run commands. */
const own: Readonly<Record<string, readonly string[]>> = {
  metrics: ['metrics'],
  logs: ['log'],
  pods: ['pods', 'proxy'],
  healthz: ['healthz', 'proxy'],
};

/** `path` without the query. */
export function questionOf(method: string, path: string): Question {
  const [first = ''] = path.split('/').slice(1);
  if (method === 'CONNECT') return { verb: 'create', subresources: ['proxy'] };
  const subresources = Object.hasOwn(own, first) ? own[first] : undefined;
  return { verb: verbs[method] ?? '', subresources: subresources ?? ['proxy'] };
}

export function forbiddenText({ user }: Peer, { verb, subresources }: Question): string {
  return `Forbidden (user=${user}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}])`;
}
