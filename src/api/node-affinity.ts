/** Which Nodes a Pod names: nodeSelector, required and preferred node affinity. Pure. */
import type { Core, Node } from './types.ts';

type Choosy = Pick<Core.PodSpec, 'nodeSelector' | 'affinity'>;

/** Terms are alternatives; the expressions and fields of one must all hold. A term without any matches nothing. */
export function matchesNodeAffinity(spec: Choosy, node: Node): boolean {
  const selector = Object.entries(spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => node.metadata.labels?.[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Sum of the weights of the preferences a Node meets. */
export function nodePreference(spec: Choosy, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred
    .filter(({ preference }) => matchesTerm(preference, node))
    .reduce((sum, { weight }) => sum + weight, 0);
}

/** The one field that can be named is `metadata.name`; any other is absent everywhere. */
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
      return compare(value, values[0], (a, b) => a > b);
    case 'Lt':
      return compare(value, values[0], (a, b) => a < b);
    default:
      return false;
  }
}

/** False unless both are whole numbers. */
function compare(a = '', b = '', holdsFor: (a: bigint, b: bigint) => boolean): boolean {
  return [a, b].every((text) => /^-?\d+$/.test(text)) && holdsFor(BigInt(a), BigInt(b));
}
