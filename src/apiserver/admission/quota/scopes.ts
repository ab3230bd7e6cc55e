/** Which objects a quota is about: all, or Pods of its scopes only. Pure. */
import { PODS, type Kind } from '../../../api/kinds.ts';
import { podQosClass } from '../../../api/pods.ts';
import type { Core, KubeObject, Pod, ResourceQuota } from '../../../api/types.ts';

type Term = Core.ScopedResourceSelectorRequirement;

export function isInScope({ spec }: ResourceQuota, kind: Kind, object: KubeObject): boolean {
  const terms: Term[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (terms.length === 0) return true;
  return kind === PODS && terms.every((term) => matches(term, object as Pod));
}

function matches({ scopeName, operator, values = [] }: Term, { spec }: Pod): boolean {
  switch (scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return podQosClass(spec) === 'BestEffort';
    case 'NotBestEffort':
      return podQosClass(spec) !== 'BestEffort';
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(spec);
    case 'PriorityClass': {
      const name = spec.priorityClassName ?? '';
      if (operator === 'Exists') return name !== '';
      if (operator === 'DoesNotExist') return name === '';
      return values.includes(name) === (operator === 'In');
    }
    default:
      return false;
  }
}

function crossesNamespaces({ affinity }: Core.PodSpec): boolean {
  const both = [affinity?.podAffinity, affinity?.podAntiAffinity];
  return both.some((each) =>
    [
      ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
    ].some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined),
  );
}
