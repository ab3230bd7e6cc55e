/** From credentials and headers to the user a request is judged and answered as. */
import type { Following } from './audit/follow.ts';
import { authenticate, type Credentials } from './authenticate.ts';
import { parseImpersonation, type HeaderPairs } from './authentication/impersonate.ts';
import { authorize } from './authorize.ts';
import type { User } from './request.ts';
import type { Server } from './server.ts';

export interface Identity {
  /** Whose credentials they are. */
  readonly real: User;
  /** Who counts: another one than `real` where somebody is impersonated. */
  readonly user: User;
}

/** Throws ApiError: 401 for bad credentials, 403 for acting as somebody one may not be, 400. */
export async function identify(
  server: Pick<Server, 'core' | 'authorizer' | 'bearers'>,
  credentials: Credentials & { readonly impersonation: HeaderPairs },
  following?: Pick<Following, 'authenticated' | 'impersonated' | 'decided'>,
): Promise<Identity> {
  const real = await authenticate(credentials, server.bearers);
  following?.authenticated(real);
  const other = credentials.impersonation.length === 0 ? undefined : parseImpersonation(credentials.impersonation);
  if (!other) return { real, user: real };
  for (const asked of other.asked) await authorize(server, real, asked, following?.decided);
  following?.impersonated(other.user);
  return { real, user: other.user };
}
