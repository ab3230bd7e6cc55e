/** What follows from a Node's conditions: its taints, and which of its Pods must leave and when (features 7-025). All pure. */
import { tolerates } from '../api/taints.ts';
import type { Core, Node, Pod } from '../api/types.ts';

export const NOT_READY_TAINT = 'node.kubernetes.io/not-ready';
export const UNREACHABLE_TAINT = 'node.kubernetes.io/unreachable';
/** How long a Pod that says nothing about it stays on a Node that is not ready or cannot be reached. */
export const DEFAULT_TOLERATION_MS = 300_000;

/** Conditions that are bad news when they are anything but what the kubelet last vouched for. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

const PRESSURE_TAINTS: Record<string, string> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const OWN_TAINTS = [
  NOT_READY_TAINT,
  UNREACHABLE_TAINT,
  'node.kubernetes.io/unschedulable',
  ...Object.values(PRESSURE_TAINTS),
];

export type ReadyStatus = 'True' | 'False' | 'Unknown';

/** Undefined: the kubelet has not said anything yet. */
export function readyStatus(node: Node): ReadyStatus | undefined {
  const status = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return status === 'True' || status === 'False' || status === 'Unknown' ? status : undefined;
}

/** The conditions of a Node whose kubelet has gone silent; undefined where they say so already. */
export function silentConditions(node: Node, now: string): Core.NodeCondition[] | undefined {
  const present = node.status?.conditions ?? [];
  const unknown = KUBELET_CONDITIONS.map((type): Core.NodeCondition => {
    const before = present.find((condition) => condition.type === type);
    if (before?.status === 'Unknown') return before;
    return {
      ...before,
      type,
      status: 'Unknown',
      reason: before ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
      message: before ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
      lastTransitionTime: now,
    };
  });
  if (unknown.every((condition) => present.includes(condition))) return undefined;
  return [...present.filter(({ type }) => !KUBELET_CONDITIONS.includes(type)), ...unknown];
}

/** The taints a Node should have: those of its conditions beside those of other people; undefined where it has them. */
export function planTaints(node: Node, now: string): Core.Taint[] | undefined {
  const present = node.spec?.taints ?? [];
  const foreign = present.filter(({ key }) => !OWN_TAINTS.includes(key));
  const wanted = conditionTaints(node).map(
    ({ key, effect }) =>
      present.find((taint) => taint.key === key && taint.effect === effect) ?? {
        key,
        effect,
        // Eviction counts from here.
        ...(effect === 'NoExecute' && { timeAdded: now }),
      },
  );
  const next = [...foreign, ...wanted];
  const names = (taints: readonly Core.Taint[]) =>
    taints
      .map(({ key, effect }) => `${key}:${effect}`)
      .sort()
      .join();
  return names(next) === names(present) ? undefined : next;
}

function conditionTaints(node: Node): Core.Taint[] {
  const taints: Core.Taint[] = [];
  const ready = readyStatus(node);
  const key = ready === 'Unknown' ? UNREACHABLE_TAINT : NOT_READY_TAINT;
  if (ready === 'False' || ready === 'Unknown')
    taints.push({ key, effect: 'NoSchedule' }, { key, effect: 'NoExecute' });
  for (const { type, status } of node.status?.conditions ?? []) {
    const pressure = PRESSURE_TAINTS[type];
    if (pressure !== undefined && status === 'True') taints.push({ key: pressure, effect: 'NoSchedule' });
  }
  if (node.spec?.unschedulable) taints.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });
  return taints;
}

/**
 * When a Pod must leave a Node for its NoExecute taints, in ms since the epoch; undefined: it may stay. A Pod that names neither of the two
 * taints of a Node in trouble stays for five minutes, as if the API server had added these tolerations to it.
 */
export function evictionTime(pod: Pod, taints: readonly Core.Taint[], now: number): number | undefined {
  const times = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const since = taint.timeAdded === undefined ? now : Date.parse(taint.timeAdded);
      const matching = (pod.spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
      if (matching.length === 0) {
        const patient = taint.key === NOT_READY_TAINT || taint.key === UNREACHABLE_TAINT;
        return patient ? since + DEFAULT_TOLERATION_MS : now;
      }
      const limits = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
      return limits.length === 0 ? Infinity : since + Math.max(0, Math.min(...limits)) * 1000;
    });
  const first = Math.min(...times, Infinity);
  return first === Infinity ? undefined : first;
}
