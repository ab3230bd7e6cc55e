/**
 * Who asks: a client certificate of the cluster's CA, else a bearer token, else nobody (features 8-099, 8-103). With both, the certificate
 * counts and the token is not looked at, as in Kubernetes.
 */
import { ApiError } from '../api/api-error.ts';
import type { BearerTokens } from './authentication/bearer-tokens.ts';
import { ANONYMOUS, type User } from './request.ts';

/** What the socket knows about the other side. */
export interface Peer {
  /** The subject of a certificate that the cluster's CA signed; undefined without one. */
  readonly subject?: { readonly CN?: string | string[]; readonly O?: string | string[] } | undefined;
  /** SHA-256 of that certificate in lower-case hex. */
  readonly fingerprint?: string;
  /** A certificate was shown that is not to be trusted: strangers, expired, not yet good. */
  readonly isUntrusted?: boolean;
}

/** What the credentials were, for logs: never the secret itself. */
export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';

export interface Credentials {
  readonly peer: Peer;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Throws Unauthorized (401) for credentials that are not good. */
export async function authenticate({ peer, headers }: Credentials, tokens: BearerTokens): Promise<User> {
  const name = [peer.subject?.CN ?? []].flat()[0];
  if (name !== undefined && name !== '') {
    const groups = [...[peer.subject?.O ?? []].flat(), 'system:authenticated'];
    const { fingerprint } = peer;
    return {
      name,
      groups,
      ...(fingerprint !== undefined && { extra: { [CREDENTIAL_ID]: [`X509SHA256=${fingerprint}`] } }),
    };
  }
  const given = headers['authorization'] ?? '';
  const token = /^Bearer +(\S+)$/i.exec(given.trim())?.[1];
  if (token !== undefined) {
    const user = await tokens.verify(token);
    if (user) return user;
  } else if (given === '' && peer.isUntrusted !== true) return ANONYMOUS;
  throw unauthorized();
}

export function unauthorized(): ApiError {
  return new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
}
