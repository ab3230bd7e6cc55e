/** Who somebody is: SelfSubjectReview for `kubectl auth whoami`, TokenReview for servers that are shown our tokens (feature 8-104). */
import { badRequest } from '../../api/api-error.ts';
import type { User } from '../request.ts';
import type { ReviewCall } from './review.ts';

export const reviewOneself = ({ by }: ReviewCall): object => ({ userInfo: userInfo(by) });

export async function reviewToken({ asked, server: { tokens, bearers } }: ReviewCall): Promise<object> {
  const { token = '', audiences = [] } = asked.spec ?? {};
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const wanted = audiences.length > 0 ? audiences : [tokens.issuer];
  const good: string[] = [];
  let user: User | undefined;
  for (const audience of wanted) {
    const found = await bearers.verify(token, audience);
    if (found) good.push(audience);
    user ??= found;
  }
  if (user) return { authenticated: true, user: userInfo(user), audiences: good };
  return { authenticated: false, user: {}, error: 'invalid bearer token' };
}

export function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) };
}
