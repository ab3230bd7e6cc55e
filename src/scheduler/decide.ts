/** Where a Pod goes: filter the Nodes, score those that are left, take the best. Pure: the same Pod and cluster give the same Node. */
import type { Node, Pod } from '../api/types.ts';
import type { NodeState } from './cluster-state.ts';
import { problemsOf, unwelcomeTaints } from './filters.ts';
import { nodePreference } from '../api/node-affinity.ts';
import { podPreference, spreadLoad, type Surroundings } from './pod-affinity.ts';
import { podRequests } from './resources.ts';

export type Decision = { readonly node: string } | { readonly unschedulable: string };

export function decide(pod: Pod, around: Surroundings): Decision {
  if (around.nodes.length === 0) return { unschedulable: 'no nodes available to schedule pods' };
  const fitting: NodeState[] = [];
  const reasons = new Map<string, number>();
  for (const state of around.nodes) {
    const problems = problemsOf(pod, state, around);
    if (problems.length === 0) fitting.push(state);
    for (const problem of problems) reasons.set(problem, (reasons.get(problem) ?? 0) + 1);
  }
  const best = fitting.length > 1 ? highest(pod, fitting, around) : fitting[0];
  return best ? { node: best.node.metadata.name } : { unschedulable: failureMessage(around.nodes.length, reasons) };
}

/** `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.` */
export function failureMessage(nodes: number, reasons: ReadonlyMap<string, number>): string {
  const texts = [...reasons].map(([reason, count]) => `${String(count)} ${reason}`).sort();
  return `0/${String(nodes)} nodes are available: ${texts.join(', ')}.`;
}

/** Raw marks of one kind for all Nodes; higher is better. Each kind is spread over 0..100 and then weighted. */
interface Score {
  readonly weight: number;
  readonly mark: (pod: Pod, state: NodeState, around: Surroundings) => number;
  /** Marks that are percentages already stay as they are. */
  readonly absolute?: boolean;
}

const SCORES: readonly Score[] = [
  { weight: 3, mark: (pod, { node }) => -unwelcomeTaints(pod, node) },
  { weight: 2, mark: (pod, { node }) => nodePreference(pod.spec, node) },
  { weight: 2, mark: (pod, { node }, around) => podPreference(pod, node, around) },
  { weight: 2, mark: (pod, { node }, around) => -spreadLoad(pod, node, around) },
  { weight: 2, mark: (pod, { pods }) => -pods.filter((other) => isSibling(pod, other)).length },
  { weight: 1, mark: leastAllocated, absolute: true },
];

function highest(pod: Pod, states: readonly NodeState[], around: Surroundings): NodeState | undefined {
  const totals = states.map(() => 0);
  for (const { weight, mark, absolute } of SCORES) {
    const marks = states.map((state) => mark(pod, state, around));
    const low = Math.min(...marks);
    const range = Math.max(...marks) - low;
    marks.forEach((value, at) => {
      const percent = absolute ? value : range === 0 ? 0 : ((value - low) / range) * 100;
      totals[at] = (totals[at] ?? 0) + weight * percent;
    });
  }
  const ranked = states.map((state, at) => ({ state, total: totals[at] ?? 0 }));
  // Equal marks: the Node with fewer Pods, so that Pods that ask for nothing spread as well.
  ranked.sort(
    (a, b) =>
      b.total - a.total || a.state.pods.length - b.state.pods.length || compareNames(a.state.node, b.state.node),
  );
  return ranked[0]?.state;
}

const compareNames = (a: Node, b: Node) => (a.metadata.name < b.metadata.name ? -1 : 1);

/** Pods that do the same work, and so had better not share a Node: of one controller, or lone ones with the same labels. */
export function isSibling(pod: Pod, other: Pod): boolean {
  if (pod.metadata.namespace !== other.metadata.namespace || other.metadata.deletionTimestamp !== undefined)
    return false;
  const owner = controllerOf(pod);
  if (owner !== undefined) return controllerOf(other) === owner;
  const labels = Object.entries(pod.metadata.labels ?? {});
  return (
    labels.length > 0 &&
    controllerOf(other) === undefined &&
    labels.every(([key, value]) => other.metadata.labels?.[key] === value)
  );
}

const controllerOf = (pod: Pod) => pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;

/** A Pod that asks for nothing still uses something: what it counts for when Nodes are compared. */
const ASSUMED: Record<string, number> = { cpu: 100, memory: 200 * 2 ** 20 };

/** Percent of cpu and memory left free, on average, with the Pod on the Node. */
function leastAllocated(pod: Pod, { allocatable, pods }: NodeState): number {
  const names = Object.keys(ASSUMED);
  const free = names.map((name) => {
    const total = allocatable.get(name) ?? 0;
    if (total <= 0) return 0;
    const used = [...pods, pod].reduce((sum, each) => sum + (podRequests(each).get(name) ?? ASSUMED[name] ?? 0), 0);
    return Math.max(0, (total - used) / total) * 100;
  });
  return free.reduce((sum, value) => sum + value, 0) / names.length;
}
