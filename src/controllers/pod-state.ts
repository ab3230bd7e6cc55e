/** What the workload controllers ask of a Pod. All pure: the time is passed in as milliseconds since the epoch. */
import { isPodReady, isPodTerminal, podCondition } from '../api/pods.ts';
import type { KubeObject, Pod } from '../api/types.ts';

/** Milliseconds since the epoch of an API timestamp; undefined where it is absent or unreadable. */
export function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Date.parse(text);
  return Number.isNaN(value) ? undefined : value;
}

export const isTerminating = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;

/** Counts towards replicas: neither finished nor on its way out. */
export const isActive = (pod: Pod): boolean => !isPodTerminal(pod) && !isTerminating(pod);

/** Since when the pod has been ready, or undefined while it is not. */
export function readySince(pod: Pod): number | undefined {
  const condition = podCondition(pod, 'Ready');
  return condition?.status === 'True' ? timeOf(condition.lastTransitionTime) : undefined;
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  return availableIn(pod, minReadySeconds, now) === 0;
}

/** Milliseconds until the pod counts as available; 0 where it does, undefined where it is not ready at all. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = readySince(pod);
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

/** The soonest moment, in milliseconds from now, at which a ready pod becomes available; undefined when none is waiting. */
export function nextAvailable(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  const waits = pods.map((pod) => availableIn(pod, minReadySeconds, now) ?? 0).filter((ms) => ms > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

export function restartCount(pod: Pod): number {
  const counts = (pod.status?.containerStatuses ?? []).map((status) => status.restartCount);
  return Math.max(0, ...counts);
}
