/** Which Nodes a Pod names: nodeSelector, required and preferred node affinity. Pure. */
import type { Core, Node, Pod } from '../api/types.ts';

/** Terms are alternatives; the expressions of one must all hold. A term without any matches nothing. */
export function matchesNodeAffinity(pod: Pod, node: Node): boolean {
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => node.metadata.labels?.[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Sum of the weights of the preferences a Node meets. */
export function nodePreference(pod: Pod, node: Node): number {
  const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred
    .filter(({ preference }) => matchesTerm(preference, node))
    .reduce((sum, { weight }) => sum + weight, 0);
}

function matchesTerm({ matchExpressions = [], matchFields = [] }: Core.NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((expression) => holds(expression, node.metadata.labels?.[expression.key])) &&
    matchFields.every((field) => holds(field, field.key === 'metadata.name' ? node.metadata.name : undefined))
  );
}

function holds({ operator, values = [] }: Core.NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return /^-?\d+$/.test(value ?? '') && BigInt(value ?? 0) > BigInt(values[0] ?? 0);
    case 'Lt':
      return /^-?\d+$/.test(value ?? '') && BigInt(value ?? 0) < BigInt(values[0] ?? 0);
    default:
      return false;
  }
}
