/**
 * Service account tokens: JWTs signed with the cluster's service account key, as Kubernetes makes them. A token is good as long
 * as it has not expired and everything it is bound to still exists.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS, type Kind } from '../api/kinds.ts';
import type { Core } from './core.ts';
import { keyOf } from './keys.ts';
import type { User } from './request.ts';

export interface BoundObject {
  readonly kind: 'pod' | 'secret' | 'node';
  readonly name: string;
  readonly uid: string;
}

export interface TokenContent {
  readonly namespace: string;
  readonly name: string;
  /** Of the ServiceAccount. */
  readonly uid: string;
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly bound: readonly BoundObject[];
}

interface Claims {
  namespace?: unknown;
  serviceaccount?: { name?: unknown; uid?: unknown };
  pod?: { name?: unknown; uid?: unknown };
  secret?: { name?: unknown; uid?: unknown };
  node?: { name?: unknown; uid?: unknown };
}

const CLAIMS = 'kubernetes.io';
/** Verified signatures remembered, so that a busy client costs one check. */
const REMEMBERED = 1000;

interface Verified {
  readonly claims: Claims;
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export class TokenIssuer {
  readonly issuer: string;
  readonly #core: Core;
  readonly #privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly algorithm: 'ES256' | 'RS256';
  /** Names the key to those who check tokens elsewhere. */
  readonly keyId: string;
  readonly #seen = new Map<string, Verified>();

  constructor(core: Core, privateKeyPem: string, issuer: string) {
    this.#core = core;
    this.issuer = issuer;
    this.#privateKey = createPrivateKey(privateKeyPem);
    this.publicKey = createPublicKey(this.#privateKey);
    const der = this.publicKey.export({ type: 'spki', format: 'der' });
    this.keyId = createHash('sha256').update(der).digest('base64url');
    this.algorithm = this.#privateKey.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256';
  }

  async issue({ namespace, name, uid, audiences, expires, bound }: TokenContent): Promise<string> {
    const { SignJWT } = await import('jose');
    const now = Math.floor(this.#core.clock.now() / 1000);
    const objects = Object.fromEntries(bound.map((each) => [each.kind, { name: each.name, uid: each.uid }]));
    return await new SignJWT({ [CLAIMS]: { namespace, serviceaccount: { name, uid }, ...objects } })
      .setProtectedHeader({ alg: this.algorithm, kid: this.keyId })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setAudience([...audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(Math.floor(expires / 1000))
      .setJti(this.#core.newUid())
      .sign(this.#privateKey);
  }

  /** Undefined: not a token of ours, expired, for another audience, or what it is bound to is gone. */
  async verify(token: string, audience = this.issuer): Promise<User | undefined> {
    const verified = this.#seen.get(token) ?? (await this.#check(token));
    if (!verified || verified.expires <= this.#core.clock.now()) return undefined;
    return verified.audiences.includes(audience) ? this.#userOf(verified.claims) : undefined;
  }

  async #check(token: string): Promise<Verified | undefined> {
    const { jwtVerify } = await import('jose');
    try {
      const { payload } = await jwtVerify(token, this.publicKey, {
        issuer: this.issuer,
        algorithms: [this.algorithm],
        currentDate: new Date(this.#core.clock.now()),
      });
      const claims = payload[CLAIMS] as Claims | undefined;
      if (!claims || payload.exp === undefined) return undefined;
      const audiences = typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []);
      const verified = { claims, audiences, expires: payload.exp * 1000 };
      if (this.#seen.size >= REMEMBERED) this.#seen.clear();
      this.#seen.set(token, verified);
      return verified;
    } catch {
      // Whatever is wrong with it, the answer to the client is the same.
      return undefined;
    }
  }

  #userOf({ namespace, serviceaccount, pod, secret, node }: Claims): User | undefined {
    const name = serviceaccount?.name;
    if (typeof namespace !== 'string' || typeof name !== 'string') return undefined;
    if (!this.#exists(SERVICE_ACCOUNTS, namespace, name, serviceaccount?.uid)) return undefined;
    if (pod && !this.#exists(PODS, namespace, pod.name, pod.uid)) return undefined;
    if (secret && !this.#exists(SECRETS, namespace, secret.name, secret.uid)) return undefined;
    if (node && !pod && !this.#exists(NODES, undefined, node.name, node.uid)) return undefined;
    const extra: Record<string, string[]> = {};
    for (const [what, ref] of Object.entries({ pod, node })) {
      if (typeof ref?.name !== 'string' || typeof ref.uid !== 'string') continue;
      extra[`authentication.kubernetes.io/${what}-name`] = [ref.name];
      extra[`authentication.kubernetes.io/${what}-uid`] = [ref.uid];
    }
    return {
      name: `system:serviceaccount:${namespace}:${name}`,
      ...(typeof serviceaccount?.uid === 'string' && { uid: serviceaccount.uid }),
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      ...(Object.keys(extra).length > 0 && { extra }),
    };
  }

  #exists(kind: Kind, namespace: string | undefined, name: unknown, uid: unknown): boolean {
    if (typeof name !== 'string') return false;
    return this.#core.cache.of(kind).get(keyOf(kind, namespace, name))?.object.metadata.uid === uid;
  }
}
