/**
 * Brings a default role or binding of an earlier version up to date: what is missing is added, and what people added stays. Nothing happens
 * where the annotation `rbac.authorization.kubernetes.io/autoupdate` says `false`. Pure.
 */
import { deepEqual } from '../../api/deep-equal.ts';
import type { ClusterRole, KubeObject, Rbac, Role } from '../../api/types.ts';
import type { Binding } from './bindings.ts';
import { missingRules } from './coverage.ts';

const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

const isProtected = ({ metadata }: KubeObject): boolean => metadata.annotations?.[AUTO_UPDATE] === 'false';

/** Undefined: it is as it should be, or is left alone. */
export function reconcileRole(present: Role | ClusterRole, wanted: Role | ClusterRole): Role | ClusterRole | undefined {
  if (isProtected(present)) return undefined;
  const [now, should] = [aggregationOf(present), aggregationOf(wanted)];
  const selectors = should.filter((one) => !now.some((other) => deepEqual(one, other)));
  // What a role gathers is the controller's matter.
  const rules = should.length > 0 ? [] : missingRules(present.rules ?? [], wanted.rules ?? []);
  const metadata = mergeMetadata(present, wanted);
  if (selectors.length === 0 && rules.length === 0 && !metadata) return undefined;
  return {
    ...present,
    ...(metadata && { metadata }),
    ...(rules.length > 0 && { rules: [...(present.rules ?? []), ...(rules as Rbac.PolicyRule[])] }),
    ...(selectors.length > 0 && { aggregationRule: { clusterRoleSelectors: [...now, ...selectors] } }),
  };
}

const aggregationOf = (role: ClusterRole) => role.aggregationRule?.clusterRoleSelectors ?? [];

/** As `reconcileRole`. A role cannot be changed in a binding, so one with another role is a new one: `replaced`. */
export function reconcileBinding<T extends Binding>(
  present: T,
  wanted: T,
): { readonly binding: T; readonly replaced: boolean } | undefined {
  if (isProtected(present)) return undefined;
  const { roleRef } = wanted;
  const same = present.roleRef.kind === roleRef.kind && present.roleRef.name === roleRef.name;
  const isSame = (a: Rbac.Subject, b: Rbac.Subject) =>
    a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
  const subjects = present.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter((one) => !subjects.some((other) => isSame(one, other)));
  const metadata = mergeMetadata(present, wanted);
  if (same && missing.length === 0 && !metadata) return undefined;
  const merged = {
    ...present,
    roleRef,
    ...(metadata && { metadata }),
    ...(missing.length > 0 && { subjects: [...subjects, ...missing] }),
  };
  return { binding: merged, replaced: !same };
}

/** Undefined: every label and annotation is there, with whatever value. */
function mergeMetadata({ metadata }: KubeObject, wanted: KubeObject): KubeObject['metadata'] | undefined {
  const lacks = (there: Record<string, string> = {}, should: Record<string, string> = {}) =>
    Object.keys(should).some((key) => !Object.hasOwn(there, key));
  const { labels, annotations } = wanted.metadata;
  if (!lacks(metadata.labels, labels) && !lacks(metadata.annotations, annotations)) return undefined;
  return {
    ...metadata,
    labels: { ...labels, ...metadata.labels },
    annotations: { ...annotations, ...metadata.annotations },
  };
}
