/** Every kind of bearer token this server knows: bound tokens and Secrets of service accounts, and bootstrap tokens. */
import { SECRETS } from '../../api/kinds.ts';
import type { Secret } from '../../api/types.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import type { User } from '../request.ts';
import type { TokenIssuer } from '../service-account-tokens.ts';
import { BOOTSTRAP_NAMESPACE, bootstrapSecretName, bootstrapUser, parseBootstrapToken } from './bootstrap-tokens.ts';

export interface BearerTokens {
  /** Undefined: not a good one. `audience`: for whom it must be; this server where absent. */
  verify(token: string, audience?: string): Promise<User | undefined>;
}

export function createBearerTokens(core: Core, tokens: TokenIssuer): BearerTokens {
  return {
    async verify(token, audience) {
      const bootstrap = parseBootstrapToken(token);
      if (!bootstrap) return await tokens.verify(token, audience);
      // One is for this server alone.
      if (audience !== undefined && audience !== tokens.issuer) return undefined;
      await core.cache.catchUp();
      const key = keyOf(SECRETS, BOOTSTRAP_NAMESPACE, bootstrapSecretName(bootstrap.id));
      const stored = core.cache.of(SECRETS).get(key)?.object as Secret | undefined;
      return stored && bootstrapUser(stored, bootstrap.id, bootstrap.secret, core.clock.now());
    },
  };
}
