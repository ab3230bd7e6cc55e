/** Which other Pods a Pod wants near or far: pod affinity, anti-affinity and topology spread, by the Nodes' labels. Pure. */
import { matchLabelSelector } from '../api/selectors.ts';
import type { Core, Meta, Node, Pod } from '../api/types.ts';
import type { NodeState } from './cluster-state.ts';
import { matchesNodeAffinity } from '../api/node-affinity.ts';

export interface Surroundings {
  readonly nodes: readonly NodeState[];
  /** Labels of a Namespace, for the terms that choose Namespaces by label. */
  readonly namespaceLabels: (namespace: string) => Record<string, string>;
}

type Term = Core.PodAffinityTerm;

const domainOf = (node: Node, topologyKey: string) => node.metadata.labels?.[topologyKey];

/** Whether `other` is one of the Pods that a term of `pod` speaks of. */
function speaksOf(term: Term, pod: Pod, other: Pod, { namespaceLabels }: Surroundings): boolean {
  const namespace = other.metadata.namespace ?? '';
  const { namespaces = [], namespaceSelector } = term;
  const own = namespaces.length === 0 && !namespaceSelector && namespace === pod.metadata.namespace;
  const chosen = namespaceSelector !== undefined && matchLabelSelector(namespaceSelector, namespaceLabels(namespace));
  if (!own && !chosen && !namespaces.includes(namespace)) return false;
  return selects(term.labelSelector, other);
}

/** An absent selector selects nothing, an empty one everything. */
const selects = (selector: Meta.LabelSelector | undefined, pod: Pod) =>
  selector !== undefined && matchLabelSelector(selector, pod.metadata.labels ?? {});

/** Why a Node is out for the Pods around it, in the words people search for; undefined where it is not. */
export function podAffinityProblem(pod: Pod, candidate: Node, around: Surroundings): string | undefined {
  const near = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (!near.every((term) => isNear(term, pod, candidate, around))) return "node(s) didn't match pod affinity rules";
  const far = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (far.some((term) => countInDomain(term, pod, candidate, around) > 0)) {
    return "node(s) didn't match pod anti-affinity rules";
  }
  return isUnwanted(pod, candidate, around) ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined;
}

/** The first Pod of a group that wants to be near itself may go anywhere the topology exists. */
function isNear(term: Term, pod: Pod, candidate: Node, around: Surroundings): boolean {
  if (domainOf(candidate, term.topologyKey) === undefined) return false;
  if (countInDomain(term, pod, candidate, around) > 0) return true;
  const anywhere = around.nodes.some(({ pods }) => pods.some((other) => speaksOf(term, pod, other, around)));
  return !anywhere && speaksOf(term, pod, pod, around);
}

function countInDomain(term: Term, pod: Pod, candidate: Node, around: Surroundings): number {
  const domain = domainOf(candidate, term.topologyKey);
  if (domain === undefined) return 0;
  return around.nodes
    .filter(({ node }) => domainOf(node, term.topologyKey) === domain)
    .reduce((sum, { pods }) => sum + pods.filter((other) => speaksOf(term, pod, other, around)).length, 0);
}

/** A Pod already there does not want this one in its domain. */
function isUnwanted(pod: Pod, candidate: Node, around: Surroundings): boolean {
  return around.nodes.some(({ node, pods }) =>
    pods.some((other) =>
      (other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some((term) => {
        const domain = domainOf(node, term.topologyKey);
        return (
          domain !== undefined && domain === domainOf(candidate, term.topologyKey) && speaksOf(term, other, pod, around)
        );
      }),
    ),
  );
}

/** Preferred affinity less preferred anti-affinity: the weights times the Pods spoken of in the Node's domain. */
export function podPreference(pod: Pod, candidate: Node, around: Surroundings): number {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const sum = (terms: readonly Core.WeightedPodAffinityTerm[] = []) =>
    terms.reduce((all, each) => all + each.weight * countInDomain(each.podAffinityTerm, pod, candidate, around), 0);
  return (
    sum(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution) -
    sum(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution)
  );
}

/** Why a Node would make the spread worse than the Pod allows. */
export function spreadProblem(pod: Pod, candidate: Node, around: Surroundings): string | undefined {
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    if (constraint.whenUnsatisfiable !== 'DoNotSchedule') continue;
    const domain = domainOf(candidate, constraint.topologyKey);
    if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)";
    const counts = spreadCounts(constraint, pod, around);
    const self = selects(constraint.labelSelector, pod) ? 1 : 0;
    const least = Math.min(...counts.values(), Infinity);
    const skew = (counts.get(domain) ?? 0) + self - (least === Infinity ? 0 : least);
    if (skew > constraint.maxSkew) return "node(s) didn't match pod topology spread constraints";
  }
  return undefined;
}

/** Pods already in the Node's domains, over all constraints that only prefer: fewer is better. */
export function spreadLoad(pod: Pod, candidate: Node, around: Surroundings): number {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway')
    .reduce((sum, constraint) => {
      const domain = domainOf(candidate, constraint.topologyKey);
      return sum + (domain === undefined ? 0 : (spreadCounts(constraint, pod, around).get(domain) ?? 0));
    }, 0);
}

/** Domain -> selected Pods in it, over the Nodes the Pod could go to at all. */
function spreadCounts(constraint: Core.TopologySpreadConstraint, pod: Pod, around: Surroundings): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node, pods } of around.nodes) {
    const domain = domainOf(node, constraint.topologyKey);
    if (domain === undefined || !matchesNodeAffinity(pod.spec, node)) continue;
    const selected = pods.filter(
      (other) =>
        other.metadata.namespace === pod.metadata.namespace &&
        other.metadata.deletionTimestamp === undefined &&
        selects(constraint.labelSelector, other),
    );
    counts.set(domain, (counts.get(domain) ?? 0) + selected.length);
  }
  return counts;
}
