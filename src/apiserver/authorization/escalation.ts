/**
 * Nobody gives away more than they have: a role may say, and a binding may give, only what the writer holds already in that place, unless
 * they may `escalate` roles or `bind` that role. Without this, whoever can write roles would be an administrator.
 */
import { forbiddenRequest, notFound } from '../../api/api-error.ts';
import { semanticEqual } from '../../api/deep-equal.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, type Kind } from '../../api/kinds.ts';
import type { ClusterRole, KubeObject } from '../../api/types.ts';
import type { User } from '../request.ts';
import { MASTERS, type Authorizer } from './authorizer.ts';
import type { Binding } from './bindings.ts';
import { describeRule, missingRules, quoteList } from './coverage.ts';
import { listOf, type RbacAuthorizer } from './rbac.ts';
import type { PolicyRule } from './rules.ts';
import type { WriteGuard } from './write-guard.ts';

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export function createEscalationCheck(authorizer: Authorizer, rbac: RbacAuthorizer): WriteGuard['checkGrant'] {
  const guard = new Guard(authorizer, rbac);
  return (user, kind, object, old) => {
    if (!guarded.has(kind) || user.groups.includes(MASTERS)) return;
    if (old && isOnlyForGarbageCollection(object, old)) return;
    if (kind === (ROLES as Kind) || kind === (CLUSTER_ROLES as Kind)) guard.checkRole(user, kind, object, old);
    else guard.checkBinding(user, kind, object as Binding);
  };
}

const guarded: ReadonlySet<Kind> = new Set<Kind>([ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS]);

class Guard {
  readonly #authorizer: Authorizer;
  readonly #rbac: RbacAuthorizer;

  constructor(authorizer: Authorizer, rbac: RbacAuthorizer) {
    this.#authorizer = authorizer;
    this.#rbac = rbac;
  }

  checkRole(user: User, kind: Kind, role: ClusterRole, old: ClusterRole | undefined): void {
    const { name, namespace = '' } = role.metadata;
    // A new one has no name yet that a rule could allow it by.
    if (this.#may(user, 'escalate', kind, namespace, old ? name : '')) return;
    const problem = this.#problem(user, namespace, role.rules ?? []);
    if (problem !== undefined) throw forbiddenRequest(kind, name, problem);
    // It gathers whatever is labelled so, now and later.
    const gathers = [role, old].some((each) => (each?.aggregationRule?.clusterRoleSelectors ?? []).length > 0);
    if (gathers && this.#problem(user, namespace, EVERYTHING) !== undefined) {
      throw forbiddenRequest(kind, name, 'must have cluster-admin privileges to use the aggregationRule');
    }
  }

  checkBinding(user: User, kind: Kind, binding: Binding): void {
    const { name, namespace = '' } = binding.metadata;
    const roleRef = (binding as Partial<Binding>).roleRef;
    const role = roleRef?.kind === 'Role' ? ROLES : CLUSTER_ROLES;
    // What names no role is for validation to refuse.
    if (!roleRef || roleRef.kind !== role.kind) return;
    if (this.#may(user, 'bind', role as Kind, namespace, roleRef.name)) return;
    const rules = this.#rbac.rulesOf(roleRef, namespace);
    if (!rules) throw notFound(role as Kind, roleRef.name);
    const problem = this.#problem(user, namespace, rules);
    if (problem !== undefined) throw forbiddenRequest(kind, name, problem);
  }

  #may(user: User, verb: string, { group, version, plural }: Kind, namespace: string, name: string): boolean {
    const place = { group, version, resource: plural, subresource: '', namespace, name };
    return this.#authorizer.decide(user, { type: 'resource', verb, ...place }).allowed;
  }

  #problem(user: User, namespace: string, wanted: readonly PolicyRule[]): string | undefined {
    const { rules, missing: unresolved } = this.#rbac.rulesFor(user, namespace);
    const missing = missingRules(rules, wanted);
    if (missing.length === 0) return undefined;
    const told = [...new Set(missing.map(describeRule))].sort().join('\n');
    const who = `user ${JSON.stringify(user.name)} (groups=${quoteList(user.groups)})`;
    const also = unresolved.length === 0 ? '' : `; resolution errors: [${listOf(unresolved)}]`;
    return `${who} is attempting to grant RBAC permissions not currently held:\n${told}${also}`;
  }
}

/** Owners and finalizers say when it goes, not what it gives. */
function isOnlyForGarbageCollection(object: KubeObject, old: KubeObject): boolean {
  const rest = ({ metadata, ...body }: KubeObject) => {
    const { ownerReferences: _owners, finalizers: _finalizers, managedFields: _fields, ...meta } = metadata;
    return { ...body, metadata: { ...meta, resourceVersion: undefined } };
  };
  return semanticEqual(rest(object), rest(old));
}
