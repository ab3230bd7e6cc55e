/**
 * Whom the kubelet lets in. It keeps no list: certificates of the cluster's CA and the API server's word say who someone is (TokenReview) and what they
 * may do (SubjectAccessReview), as the kubelet's webhook modes have it. Answers are kept for a while.
 */
import { createHash } from 'node:crypto';
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Peer } from './authorize.ts';

export interface Access {
  /** Whose token it is; undefined for one that is not good. */
  user(token: string): Promise<Peer | undefined>;
  /** Whether someone may `get` or `create` a subresource of this node. */
  allows(peer: Peer, verb: string, subresource: string): Promise<boolean>;
}

/** ms, as the kubelet's defaults have it. */
const KEEP = { user: 120_000, allowed: 300_000, denied: 30_000 };
const MAX_KEPT = 1000;

function review(group: string, kind: string): Kind {
  const plural = `${kind.toLowerCase()}s`;
  const lists = { shortNames: [], categories: [], subresources: [] };
  return { group, version: 'v1', kind, plural, singular: kind.toLowerCase(), namespaced: false, ...lists };
}
const TOKEN_REVIEWS = review('authentication.k8s.io', 'TokenReview');
const ACCESS_REVIEWS = review('authorization.k8s.io', 'SubjectAccessReview');

interface TokenReview extends KubeObject {
  spec: { token: string };
  status?: {
    authenticated?: boolean;
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  };
}
interface AccessReview extends KubeObject {
  spec: object;
  status?: { allowed?: boolean };
}

export function createAccess(client: Pick<Client, 'create'>, nodeName: string, clock: Clock): Access {
  const users = new Kept<Peer | undefined>(clock);
  const rights = new Kept<boolean>(clock);
  const ask = async <T extends KubeObject>(kind: Kind, spec: object): Promise<T> =>
    (await client.create(kind, { metadata: { name: '' }, spec } as KubeObject)) as T;
  return {
    user: (token) =>
      users.of(createHash('sha256').update(token).digest('hex'), async () => {
        const { status } = await ask<TokenReview>(TOKEN_REVIEWS, { token });
        if (status?.authenticated !== true || !status.user?.username) return { value: undefined, keep: 0 };
        const { username: user, groups = [], uid, extra } = status.user;
        return { value: { user, groups, ...(uid && { uid }), ...(extra && { extra }) }, keep: KEEP.user };
      }),
    allows: ({ user, groups, uid, extra }, verb, subresource) =>
      rights.of(JSON.stringify([user, groups, uid, extra, verb, subresource]), async () => {
        const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName };
        const spec = { user, groups, uid, extra, resourceAttributes };
        const { status } = await ask<AccessReview>(ACCESS_REVIEWS, spec);
        const value = status?.allowed === true;
        return { value, keep: value ? KEEP.allowed : KEEP.denied };
      }),
  };
}

/** Answers and when each is forgotten; at most MAX_KEPT of them, the oldest go first. */
class Kept<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { value: T; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async of(key: string, ask: () => Promise<{ value: T; keep: number }>): Promise<T> {
    const found = this.#answers.get(key);
    if (found && found.until > this.#clock.now()) return found.value;
    this.#answers.delete(key);
    const { value, keep } = await ask();
    if (keep > 0) this.#answers.set(key, { value, until: this.#clock.now() + keep });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_KEPT && oldest !== undefined) this.#answers.delete(oldest);
    return value;
  }
}
