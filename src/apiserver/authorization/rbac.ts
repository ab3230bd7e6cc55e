/** Roles and bindings as an authorizer: what the bindings of a user, and of the groups they are in, allow. */
import { CLUSTER_ROLES, ROLES } from '../../api/kinds.ts';
import type { ClusterRole, Rbac } from '../../api/types.ts';
import { keyOf } from '../keys.ts';
import type { User } from '../request.ts';
import type { WatchCache } from '../watch-cache.ts';
import type { Attributes } from './attributes.ts';
import type { Authorizer, Decision } from './authorizer.ts';
import { BindingIndex, type Held } from './bindings.ts';
import { rulesAllow, type PolicyRule } from './rules.ts';

export class RbacAuthorizer implements Authorizer {
  readonly #cache: WatchCache;
  readonly #bindings: BindingIndex;

  constructor(cache: WatchCache) {
    this.#cache = cache;
    this.#bindings = new BindingIndex(cache);
  }

  decide(user: User, asked: Attributes): Decision {
    const namespace = asked.type === 'path' ? '' : asked.namespace;
    const missing: string[] = [];
    for (const scope of namespace === '' ? [''] : ['', namespace]) {
      for (const held of this.#bindings.of(user, scope)) {
        const rules = this.rulesOf(held.binding.roleRef, scope);
        if (rulesAllow(rules, asked)) return { allowed: true, reason: `RBAC: allowed by ${describe(held)}` };
        if (!rules) missing.push(notFoundText(held.binding.roleRef));
      }
    }
    return { allowed: false, reason: missing.length === 0 ? '' : `RBAC: ${listOf(missing)}` };
  }

  /** All that the user holds in a namespace, and in the cluster ('' for that alone). */
  rulesFor(user: User, namespace: string): { rules: PolicyRule[]; missing: string[] } {
    const rules: PolicyRule[] = [];
    const missing: string[] = [];
    for (const scope of namespace === '' ? [''] : ['', namespace]) {
      for (const { binding } of this.#bindings.of(user, scope)) {
        const found = this.rulesOf(binding.roleRef, scope);
        if (found) rules.push(...found);
        else missing.push(notFoundText(binding.roleRef));
      }
    }
    return { rules, missing };
  }

  /** Undefined: there is no such role. `namespace` is that of the binding. */
  rulesOf({ kind, name }: Rbac.RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const role = kind === 'Role' ? ROLES : CLUSTER_ROLES;
    const entry = this.#cache.of(role).get(keyOf(role, namespace, name));
    return entry && ((entry.object as ClusterRole).rules ?? []);
  }
}

function notFoundText({ kind, name }: Rbac.RoleRef): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;
}

/** Several reasons in brackets, each once. */
export function listOf(reasons: readonly string[]): string {
  const unique = [...new Set(reasons)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}

/** `RoleBinding "view/default" of ClusterRole "view" to User "a"` */
function describe({ binding, subject }: Held): string {
  const { name, namespace } = binding.metadata;
  const title = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
  const full = namespace === undefined ? name : `${name}/${namespace}`;
  const isAccount = subject.kind === 'ServiceAccount';
  const who = isAccount ? `${subject.name}/${subject.namespace ?? namespace ?? ''}` : subject.name;
  const { roleRef } = binding;
  return `${title} ${JSON.stringify(full)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(who)}`;
}
