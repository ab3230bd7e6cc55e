/**
 * Gathers the rules of ClusterRoles by label into those with an `aggregationRule`: a role that somebody labels
 * `rbac.authorization.k8s.io/aggregate-to-view: "true"` becomes part of `view`.
 */
import { isConflict, isNotFound } from '../api/api-error.ts';
import { deepEqual } from '../api/deep-equal.ts';
import { CLUSTER_ROLES } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { ClusterRole, Rbac } from '../api/types.ts';
import { defineController, done, trigger, type Controller } from './loop.ts';

const selectorsOf = (role: ClusterRole) => role.aggregationRule?.clusterRoleSelectors ?? [];

/** The rules `role` should have, by selector and then by name, each once. A role does not gather itself. Pure. */
export function gatherRules(role: ClusterRole, all: readonly ClusterRole[]): Rbac.PolicyRule[] {
  const others = all.filter(({ metadata }) => metadata.name !== role.metadata.name);
  const sorted = others.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const gathered: Rbac.PolicyRule[] = [];
  for (const selector of selectorsOf(role)) {
    for (const { metadata, rules } of sorted) {
      if (!matchLabelSelector(selector, metadata.labels)) continue;
      for (const rule of rules ?? []) if (!gathered.some((one) => deepEqual(one, rule))) gathered.push(rule);
    }
  }
  return gathered;
}

/** Any change of any role may change what others gather, and there are few that gather. */
export const clusterRoleAggregationController: Controller = defineController({
  name: 'clusterrole-aggregation-controller',
  triggers: [
    trigger(CLUSTER_ROLES, (_change, view) =>
      view.list(CLUSTER_ROLES).flatMap((role) => (selectorsOf(role).length > 0 ? [role.metadata.name] : [])),
    ),
  ],
  async reconcile(name, view) {
    const role = view.get(CLUSTER_ROLES, name);
    if (!role || selectorsOf(role).length === 0) return done;
    const rules = gatherRules(role, view.list(CLUSTER_ROLES));
    if (deepEqual(rules, role.rules ?? [])) return done;
    try {
      await view.client.update(CLUSTER_ROLES, { ...role, rules });
    } catch (error) {
      // The informer is behind; the event that brings the newer role makes the key due again.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
    return done;
  },
});
