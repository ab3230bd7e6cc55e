/** Whether a node suits a pod's nodeSelector, required node affinity and tolerations. Pure. */
import type { Core, Node } from '../api/types.ts';

/** Node affinity terms are alternatives; a term's expressions and fields must all hold, and an empty term holds nowhere. */
export function matchesAffinity(spec: Core.PodSpec | undefined, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  return required.nodeSelectorTerms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    return (
      matchExpressions.every((requirement) => holds(requirement, labels[requirement.key])) &&
      matchFields.every((requirement) => requirement.key === 'metadata.name' && holds(requirement, node.metadata.name))
    );
  });
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
      return wholeNumber(value) > wholeNumber(values[0]);
    case 'Lt':
      return wholeNumber(value) < wholeNumber(values[0]);
    default:
      return false;
  }
}

/** NaN, which compares false with everything, where it is none. */
const wholeNumber = (text: string | undefined): number => (/^-?\d+$/.test(text ?? '') ? Number(text) : NaN);

/** Taints with one of `effects` that none of the tolerations covers. */
export function untolerated(
  node: Node,
  tolerations: readonly Core.Toleration[],
  effects: readonly string[],
): Core.Taint[] {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effects.includes(effect));
  return taints.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
}

function tolerates(
  { key = '', operator = 'Equal', value = '', effect = '' }: Core.Toleration,
  taint: Core.Taint,
): boolean {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && value === (taint.value ?? '');
}
