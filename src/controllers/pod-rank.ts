/** Which pods go first when there are too many: the ones whose loss hurts least, in the order Kubernetes ranks them. */
import { isPodReady } from '../api/pods.ts';
import type { Pod } from '../api/types.ts';
import { isActive, readySince, restartCount, timeOf } from './pod-state.ts';

const COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';

/** `pod-deletion-cost` as a number; 0 where absent or not a whole number that fits 32 bits. */
export function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[COST_ANNOTATION] ?? '';
  const cost = /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : 0;
  return Math.abs(cost) <= 2 ** 31 ? cost : 0;
}

interface Ranked {
  readonly pod: Pod;
  /** Active pods of the same family on the same node: the more there are, the less one is missed. */
  readonly company: number;
}

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * `pods` in the order they are to be deleted: not assigned to a node, pending, not ready, cheap by `pod-deletion-cost`, doubled up on
 * a node, ready for a short time, restarted often, young. Ages are compared by powers of two, and equal ones by uid, so that
 * it is not always the newest revision of a busy set that goes.
 *
 * @param related pods of the same family (all ReplicaSets of a Deployment), for "doubled up"
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], now: number): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName;
    if (node !== undefined && isActive(pod)) perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  return pods
    .map((pod): Ranked => ({ pod, company: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
    .sort((a, b) => compare(a, b, now))
    .map(({ pod }) => pod);
}

function compare(a: Ranked, b: Ranked, now: number): number {
  const byUid = (a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1;
  return (
    Number(Boolean(a.pod.spec.nodeName)) - Number(Boolean(b.pod.spec.nodeName)) ||
    phaseOf(a.pod) - phaseOf(b.pod) ||
    Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)) ||
    deletionCost(a.pod) - deletionCost(b.pod) ||
    b.company - a.company ||
    compareAge(readySince(a.pod), readySince(b.pod), now) ||
    restartCount(b.pod) - restartCount(a.pod) ||
    compareAge(timeOf(a.pod.metadata.creationTimestamp), timeOf(b.pod.metadata.creationTimestamp), now) ||
    byUid
  );
}

const phaseOf = (pod: Pod): number => phaseOrder[pod.status?.phase ?? 'Pending'] ?? 1;

/** Younger first, an unknown time first of all. */
function compareAge(a: number | undefined, b: number | undefined, now: number): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  return magnitude(now - a) - magnitude(now - b);
}

const magnitude = (ms: number): number => (ms <= 1 ? 0 : Math.floor(Math.log2(ms)));
