/** What authorization can only say once the object of a write is known. */
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { User } from '../request.ts';
import type { Authorizer } from './authorizer.ts';
import { createEscalationCheck } from './escalation.ts';
import { forbidden } from './forbidden.ts';
import type { RbacAuthorizer } from './rbac.ts';
import { createSignerCheck } from './signers.ts';

export interface WriteGuard {
  /** Throws ApiError: 403 for a role, binding or approval that gives more than its writer may, 404 for a binding to no role. */
  checkGrant(user: User, kind: Kind, object: KubeObject, old?: KubeObject): void;
  /** For a PUT or apply of what turns out not to exist. Throws ApiError 403 for who may change it but not make it. */
  checkCreate(user: User, kind: Kind, namespace: string | undefined, name: string): void;
}

export function createWriteGuard(authorizer: Authorizer, rbac: RbacAuthorizer): WriteGuard {
  const checks = [createEscalationCheck(authorizer, rbac), createSignerCheck(authorizer)];
  return {
    checkGrant(user, kind, object, old) {
      for (const check of checks) check(user, kind, object, old);
    },
    checkCreate(user, { group, version, plural }, namespace = '', name) {
      const place = { group, version, resource: plural, subresource: '', namespace, name };
      const asked = { type: 'resource', verb: 'create', ...place } as const;
      const { allowed, reason } = authorizer.decide(user, asked);
      if (!allowed) throw forbidden(user, asked, reason);
    },
  };
}
