/**
 * Service account tokens: JWTs signed with the cluster's service account key, as Kubernetes makes them. A token is good as long
 * as it has not expired and everything it is bound to still exists; one kept in a Secret has no end but that Secret's.
 */
import type { JWTPayload } from 'jose';
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS, type Kind } from '../api/kinds.ts';
import type { KubeObject, Secret } from '../api/types.ts';
import { CREDENTIAL_ID } from './authenticate.ts';
import { signingKeyOf, verifyingKeysOf, type SigningKey, type VerifyingKey } from './authentication/signing-keys.ts';
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

/** What a token kept in a Secret is about. */
export interface SecretTokenContent {
  readonly namespace: string;
  readonly secret: string;
  readonly account: string;
  readonly uid: string;
}

interface Ref {
  name?: unknown;
  uid?: unknown;
}

interface Claims {
  namespace?: unknown;
  serviceaccount?: Ref;
  pod?: Ref;
  secret?: Ref;
  node?: Ref;
}

const CLAIMS = 'kubernetes.io';
/** Who makes tokens for Secrets, and the first part of their claims. */
const SECRET_ISSUER = 'kubernetes/serviceaccount';
const SECRET_CLAIMS = 'kubernetes.io/serviceaccount/';
export const SECRET_TOKEN_TYPE = 'kubernetes.io/service-account-token';
/** Verified signatures remembered, so that a busy client costs one check. */
const REMEMBERED = 1000;
/** Seconds the clocks of two servers may differ. */
const CLOCK_SKEW = 60;
/** Milliseconds for which what is being deleted still counts: a Pod that ends may need its token to end well. */
const DELETION_LEEWAY = 60_000;

interface Verified {
  readonly claims: Claims;
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly jti: string | undefined;
  /** It must be what this Secret holds. */
  readonly inSecret?: string;
}

export interface TokenKeys {
  /** PEM of the private key that signs. */
  readonly signing: string;
  /** PEM texts of more keys to believe, private or public: those that signed before. */
  readonly verifying?: readonly string[];
}

export class TokenIssuer {
  readonly issuer: string;
  /** All that are believed; the one that signs first. */
  readonly keys: readonly VerifyingKey[];
  readonly #core: Core;
  readonly #key: SigningKey;
  readonly #seen = new Map<string, Verified>();

  /** Throws an Error for keys that are none. */
  constructor(core: Core, { signing, verifying = [] }: TokenKeys, issuer: string) {
    this.#core = core;
    this.issuer = issuer;
    this.#key = signingKeyOf(signing);
    this.keys = verifyingKeysOf([signing, ...verifying]);
  }

  async issue({ namespace, name, uid, audiences, expires, bound }: TokenContent): Promise<string> {
    const now = Math.floor(this.#core.clock.now() / 1000);
    const objects = Object.fromEntries(bound.map((each) => [each.kind, { name: each.name, uid: each.uid }]));
    return await this.#sign({
      [CLAIMS]: { namespace, serviceaccount: { name, uid }, ...objects },
      iss: this.issuer,
      sub: `system:serviceaccount:${namespace}:${name}`,
      aud: [...audiences],
      iat: now,
      nbf: now,
      exp: Math.floor(expires / 1000),
      jti: this.#core.newUid(),
    });
  }

  /** A token without an end, for a Secret that holds it. */
  async issueForSecret({ namespace, secret, account, uid }: SecretTokenContent): Promise<string> {
    return await this.#sign({
      iss: SECRET_ISSUER,
      [`${SECRET_CLAIMS}namespace`]: namespace,
      [`${SECRET_CLAIMS}secret.name`]: secret,
      [`${SECRET_CLAIMS}service-account.name`]: account,
      [`${SECRET_CLAIMS}service-account.uid`]: uid,
      sub: `system:serviceaccount:${namespace}:${account}`,
    });
  }

  async #sign(payload: JWTPayload): Promise<string> {
    const { SignJWT } = await import('jose');
    const header = { alg: this.#key.algorithm, kid: this.#key.id };
    return await new SignJWT(payload).setProtectedHeader(header).sign(this.#key.privateKey);
  }

  /** Undefined: not a token of ours, expired, for another audience, or what it is bound to is gone. */
  async verify(token: string, audience = this.issuer): Promise<User | undefined> {
    const verified = this.#seen.get(token) ?? (await this.#check(token));
    if (!verified || verified.expires <= this.#core.clock.now() || !verified.audiences.includes(audience)) {
      return undefined;
    }
    // What it is bound to may have been made, or deleted, a moment ago.
    await this.#core.cache.catchUp();
    return this.#userOf(verified, token);
  }

  async #check(token: string): Promise<Verified | undefined> {
    const { decodeProtectedHeader, jwtVerify } = await import('jose');
    try {
      const { kid } = decodeProtectedHeader(token);
      for (const key of this.keys.filter(({ id }) => kid === undefined || kid === id)) {
        const options = {
          algorithms: [key.algorithm],
          currentDate: new Date(this.#core.clock.now()),
          clockTolerance: CLOCK_SKEW,
        };
        const checked = await jwtVerify(token, key.publicKey, options).catch(() => undefined);
        const verified = checked && this.#read(checked.payload);
        if (!verified) continue;
        if (this.#seen.size >= REMEMBERED) this.#seen.clear();
        this.#seen.set(token, verified);
        return verified;
      }
    } catch {
      // Not even the form of a token. Whatever is wrong with it, the answer to the client is the same.
    }
    return undefined;
  }

  /** Undefined: signed with our key, and yet no token for this. */
  #read(payload: JWTPayload): Verified | undefined {
    if (payload.iss === SECRET_ISSUER) return this.#readSecret(payload);
    const claims = payload[CLAIMS] as Claims | undefined;
    if (payload.iss !== this.issuer || !claims || payload.exp === undefined) return undefined;
    const audiences = typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []);
    return { claims, audiences, expires: payload.exp * 1000, jti: payload.jti };
  }

  #readSecret(payload: JWTPayload): Verified | undefined {
    const claim = (name: string) => payload[`${SECRET_CLAIMS}${name}`];
    const secret = claim('secret.name');
    if (typeof secret !== 'string') return undefined;
    const serviceaccount = { name: claim('service-account.name'), uid: claim('service-account.uid') };
    const claims = { namespace: claim('namespace'), serviceaccount };
    return { claims, audiences: [this.issuer], expires: Infinity, jti: undefined, inSecret: secret };
  }

  #userOf({ claims, jti, inSecret }: Verified, token: string): User | undefined {
    const { namespace, serviceaccount, pod, secret, node } = claims;
    const name = serviceaccount?.name;
    if (typeof namespace !== 'string' || typeof name !== 'string') return undefined;
    if (!this.#exists(SERVICE_ACCOUNTS, namespace, serviceaccount)) return undefined;
    if (pod && !this.#exists(PODS, namespace, pod)) return undefined;
    if (secret && !this.#exists(SECRETS, namespace, secret)) return undefined;
    if (node && !pod && !this.#exists(NODES, undefined, node)) return undefined;
    if (inSecret !== undefined && !this.#isHeld(namespace, inSecret, token)) return undefined;
    const extra: Record<string, string[]> = jti === undefined ? {} : { [CREDENTIAL_ID]: [`JTI=${jti}`] };
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

  #exists(kind: Kind, namespace: string | undefined, ref: Ref | undefined): boolean {
    const object = this.#get(kind, namespace, ref?.name);
    return object !== undefined && object.metadata.uid === ref?.uid;
  }

  #isHeld(namespace: string, name: string, token: string): boolean {
    const secret = this.#get(SECRETS, namespace, name) as Secret | undefined;
    if (secret?.type !== SECRET_TOKEN_TYPE) return false;
    return Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() === token;
  }

  /** Undefined also for what has been going for a while. */
  #get(kind: Kind, namespace: string | undefined, name: unknown): KubeObject | undefined {
    if (typeof name !== 'string') return undefined;
    const object = this.#core.cache.of(kind).get(keyOf(kind, namespace, name))?.object;
    const deletion = Date.parse(object?.metadata.deletionTimestamp ?? '');
    return deletion < this.#core.clock.now() - DELETION_LEEWAY ? undefined : object;
  }
}
