/** Roles and bindings: what a rule must say, whom a binding may name, and that its role stays (RBAC of Kubernetes 1.36). */
import { deepEqual } from '../deep-equal.ts';
import { invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { dns1123Subdomain, pathSegmentName } from '../names.ts';
import type { KubeObject, Rbac } from '../types.ts';
import { mustFollow, validateLabelSelector } from './check.ts';

/** Decoded JSON may lack what the types call present. */
export type RoleLike = KubeObject & Pick<Rbac.ClusterRole, 'aggregationRule'> & { rules?: Partial<Rbac.PolicyRule>[] };
export interface BindingLike extends KubeObject {
  roleRef?: Partial<Rbac.RoleRef>;
  subjects?: Partial<Rbac.Subject>[];
}

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

export const validateRole =
  (namespaced: boolean) =>
  ({ rules, aggregationRule }: RoleLike): FieldError[] => [
    ...(rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${String(index)}]`, namespaced)),
    ...(aggregationRule && !namespaced ? validateAggregation(aggregationRule) : []),
  ];

function validateRule(rule: Partial<Rbac.PolicyRule>, path: string, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs: urls = [] } = rule;
  const errors = verbs.length === 0 ? [required(`${path}.verbs`, 'verbs must contain at least one value')] : [];
  if (urls.length > 0) {
    const field = `${path}.nonResourceURLs`;
    if (namespaced) errors.push(invalid(field, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      errors.push(invalid(field, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return errors;
  }
  if (apiGroups.length === 0) {
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  }
  if (resources.length === 0) {
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  }
  return errors;
}

function validateAggregation({ clusterRoleSelectors = [] }: Rbac.AggregationRule): FieldError[] {
  const path = 'aggregationRule.clusterRoleSelectors';
  if (clusterRoleSelectors.length === 0) {
    return [required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  }
  return clusterRoleSelectors.flatMap((selector, index) =>
    validateLabelSelector(selector, `${path}[${String(index)}]`),
  );
}

export const validateBinding =
  (namespaced: boolean) =>
  ({ roleRef, subjects }: BindingLike): FieldError[] => {
    const kinds = namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole'];
    const errors: FieldError[] = [];
    if (roleRef?.apiGroup !== RBAC_GROUP)
      errors.push(notSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', [RBAC_GROUP]));
    if (!kinds.includes(roleRef?.kind ?? '')) errors.push(notSupported('roleRef.kind', roleRef?.kind ?? '', kinds));
    errors.push(...mustFollow(pathSegmentName, 'roleRef.name', roleRef?.name));
    for (const [index, subject] of (subjects ?? []).entries()) {
      errors.push(...validateSubject(subject, `subjects[${String(index)}]`, namespaced));
    }
    return errors;
  };

function validateSubject(subject: Partial<Rbac.Subject>, path: string, namespaced: boolean): FieldError[] {
  const { kind = '', name = '', namespace = '', apiGroup = '' } = subject;
  const errors = name === '' ? [required(`${path}.name`)] : [];
  if (!['ServiceAccount', 'User', 'Group'].includes(kind)) {
    errors.push(notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User']));
  } else if (kind === 'ServiceAccount') {
    if (name !== '') errors.push(...mustFollow(dns1123Subdomain, `${path}.name`, name));
    if (apiGroup !== '') errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
    if (!namespaced && namespace === '') errors.push(required(`${path}.namespace`));
  } else if (apiGroup !== RBAC_GROUP) {
    errors.push(notSupported(`${path}.apiGroup`, apiGroup, [RBAC_GROUP]));
  }
  return errors;
}

/** Who holds a binding trusts that it gives what it gave: another role is another binding. */
export const validateBindingUpdate =
  (namespaced: boolean) =>
  (binding: BindingLike, old: BindingLike): FieldError[] => [
    ...validateBinding(namespaced)(binding),
    ...(deepEqual(binding.roleRef, old.roleRef) ? [] : [invalid('roleRef', binding.roleRef, 'cannot change roleRef')]),
  ];
