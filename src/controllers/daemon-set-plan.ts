/** The next step of a DaemonSet: on which nodes a pod is missing, which pods go, and the status. Pure. */
import { isPodReady } from '../api/pods.ts';
import type { Apps, DaemonSet, Node, Pod } from '../api/types.ts';
import { decideNode, nodeOf } from './daemon-set-pod.ts';
import { resolveIntOrPercent } from './int-or-percent.ts';
import { isAvailable, isTerminating, timeOf } from './pod-state.ts';
import { nonZero } from './replica-set-plan.ts';
import { REVISION_LABEL } from './revision.ts';

export interface DaemonInput {
  readonly daemonSet: DaemonSet;
  readonly nodes: readonly Node[];
  /** All pods the DaemonSet controls. */
  readonly pods: readonly Pod[];
  /** The label of pods of the present template. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface DaemonPlan {
  /** Names of nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  /** Those of `remove` that have failed: replaced, but not at full speed. */
  readonly failed: readonly Pod[];
}

export function planDaemons(input: DaemonInput): DaemonPlan {
  const { daemonSet, nodes } = input;
  const byNode = groupByNode(input.pods);
  const plan = { create: [] as string[], remove: [] as Pod[], failed: [] as Pod[] };
  for (const node of nodes) {
    const pods = byNode.get(node.metadata.name) ?? [];
    const decision = decideNode(daemonSet, node);
    if (decision === 'leave') plan.remove.push(...pods);
    else if (pods.length > 0) removeSurplus(pods, plan);
    else if (decision === 'run') plan.create.push(node.metadata.name);
  }
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  plan.remove.push(...input.pods.filter((pod) => !known.has(nodeOf(pod) ?? '')));
  plan.remove = plan.remove.filter((pod) => !isTerminating(pod));
  if (plan.create.length + plan.remove.length === 0) plan.remove = planUpdate(input, byNode);
  return plan;
}

/** One pod per node: the oldest of those that run stays; one that has failed makes room for a new one. */
function removeSurplus(pods: readonly Pod[], plan: { remove: Pod[]; failed: Pod[] }): void {
  const staying = pods.filter((pod) => !isTerminating(pod));
  const failed = staying.filter(({ status }) => status?.phase === 'Failed');
  const running = staying.filter((pod) => !failed.includes(pod)).sort((a, b) => createdAt(a) - createdAt(b));
  plan.failed.push(...failed);
  plan.remove.push(...failed, ...running.slice(1));
}

const createdAt = (pod: Pod): number => timeOf(pod.metadata.creationTimestamp) ?? 0;

/** Old pods that may go now: those that do no good anyhow, and as many others as maxUnavailable leaves. */
function planUpdate(input: DaemonInput, byNode: ReadonlyMap<string, readonly Pod[]>): Pod[] {
  const { daemonSet, hash, now } = input;
  if (daemonSet.spec.updateStrategy?.type === 'OnDelete') return [];
  const minReady = daemonSet.spec.minReadySeconds ?? 0;
  const wanted = input.nodes.filter((node) => decideNode(daemonSet, node) === 'run');
  const useless: Pod[] = [];
  const useful: Pod[] = [];
  let unavailable = 0;
  for (const { metadata } of wanted) {
    const pod = byNode.get(metadata.name)?.find((each) => !isTerminating(each));
    const available = pod !== undefined && isAvailable(pod, minReady, now);
    if (!available) unavailable++;
    if (pod !== undefined && !isCurrent(pod, hash)) (available ? useful : useless).push(pod);
  }
  const room = Math.max(0, maxUnavailable(daemonSet, wanted.length) - unavailable);
  return [...useless, ...useful.slice(0, room)];
}

/** At least one, or an update could never go on. */
function maxUnavailable({ spec }: DaemonSet, wanted: number): number {
  return Math.max(1, resolveIntOrPercent(spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted, 'up'));
}

const isCurrent = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[REVISION_LABEL] === hash;

function groupByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOf(pod) ?? '';
    const group = groups.get(node);
    if (group) group.push(pod);
    else groups.set(node, [pod]);
  }
  return groups;
}

export function daemonStatus(input: DaemonInput): Apps.DaemonSetStatus {
  const { daemonSet, nodes, hash, now } = input;
  const byNode = groupByNode(input.pods);
  const count = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const pods = byNode.get(node.metadata.name) ?? [];
    if (decideNode(daemonSet, node) !== 'run') {
      if (pods.length > 0) count.misscheduled++;
      continue;
    }
    count.desired++;
    const pod = [...pods].sort((a, b) => createdAt(a) - createdAt(b)).find((each) => !isTerminating(each));
    if (pods.length > 0) count.current++;
    if (!pod) continue;
    if (isPodReady(pod)) count.ready++;
    if (isAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, now)) count.available++;
    if (isCurrent(pod, hash)) count.updated++;
  }
  const { generation } = daemonSet.metadata;
  return {
    currentNumberScheduled: count.current,
    desiredNumberScheduled: count.desired,
    numberMisscheduled: count.misscheduled,
    numberReady: count.ready,
    ...nonZero('numberAvailable', count.available),
    ...nonZero('numberUnavailable', count.desired - count.available),
    ...nonZero('updatedNumberScheduled', count.updated),
    ...nonZero('collisionCount', daemonSet.status?.collisionCount ?? 0),
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(daemonSet.status?.conditions && { conditions: daemonSet.status.conditions }),
  };
}
