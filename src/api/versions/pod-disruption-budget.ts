/**
 * PodDisruptionBudget of policy/v1beta1, in which an empty selector means no Pod; in v1 it means all. What one version cannot say in the
 * other's words is said by an expression over a label that no Pod has.
 */
import { semanticEqual } from '../deep-equal.ts';
import type { KubeObject, Meta, PodDisruptionBudget } from '../types.ts';
import type { Conversion } from './conversion.ts';

const LABEL = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';
type Selector = Meta.LabelSelector;

const empty: Selector = {};
const noPod: Selector = { matchExpressions: [{ key: LABEL, operator: 'Exists' }] };
const everyPod: Selector = { matchExpressions: [{ key: LABEL, operator: 'DoesNotExist' }] };

/** The label has its meaning only alone. */
function withoutLabel(selector: Selector): Selector {
  const { matchExpressions, ...rest } = selector;
  const kept = matchExpressions?.filter(({ key }) => key !== LABEL);
  if (kept?.length === matchExpressions?.length) return selector;
  return { ...rest, ...(kept?.length && { matchExpressions: kept }) };
}

const mapSelector = (object: KubeObject, map: (selector: Selector) => Selector): KubeObject => {
  const { spec } = object as PodDisruptionBudget;
  if (!spec?.selector) return object;
  const budget: PodDisruptionBudget = { ...object, spec: { ...spec, selector: map(spec.selector) } };
  return budget;
};

export const podDisruptionBudgetV1beta1: Conversion = {
  toVersion: (stored) =>
    mapSelector(stored, (selector) => {
      if (semanticEqual(selector, empty)) return everyPod;
      return semanticEqual(selector, noPod) ? empty : withoutLabel(selector);
    }),
  fromVersion: (object) =>
    mapSelector(object, (selector) => {
      if (semanticEqual(selector, empty)) return noPod;
      return semanticEqual(selector, everyPod) ? empty : withoutLabel(selector);
    }),
};

/** v1 itself. */
export const podDisruptionBudgetConversion: Conversion = {
  toVersion: (stored) => stored,
  fromVersion: (object) =>
    mapSelector(object, (selector) => (semanticEqual(selector, noPod) ? selector : withoutLabel(selector))),
};
