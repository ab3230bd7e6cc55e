/** Who asks: a client certificate of the cluster's CA, a service account token, or nobody (features 8-099, 8-103). */
import { ApiError } from '../api/api-error.ts';
import { ANONYMOUS, type User } from './request.ts';
import type { TokenIssuer } from './service-account-tokens.ts';

/** What the socket knows about the other side. */
export interface Peer {
  /** The subject of a certificate that the cluster's CA signed; undefined without one. */
  readonly subject?: { readonly CN?: string | string[]; readonly O?: string | string[] } | undefined;
}

/** Throws Unauthorized (401) for credentials that are not good. */
export async function authenticate(
  peer: Peer,
  authorization: string | undefined,
  tokens: Pick<TokenIssuer, 'verify'>,
): Promise<User> {
  const name = [peer.subject?.CN ?? []].flat()[0];
  if (name !== undefined && name !== '') {
    return { name, groups: [...[peer.subject?.O ?? []].flat(), 'system:authenticated'] };
  }
  if (authorization === undefined || authorization === '') return ANONYMOUS;
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  const user = token === undefined ? undefined : await tokens.verify(token);
  if (!user) throw new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
  return user;
}
