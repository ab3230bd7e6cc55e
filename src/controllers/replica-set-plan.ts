/** How many pods a ReplicaSet or ReplicationController lacks or has too many of, and what its status says. Pure. */
import { isPodReady } from '../api/pods.ts';
import type { Apps, Core, Pod } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { isAvailable } from './pod-state.ts';
import { rankForDeletion } from './pod-rank.ts';
import { BURST } from './slow-start.ts';

export interface ReplicaPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
}

/**
 * @param pods active pods the owner controls
 * @param related active pods of the same family, to find nodes that hold several
 */
export function planReplicas(wanted: number, pods: readonly Pod[], related: readonly Pod[], now: number): ReplicaPlan {
  if (pods.length <= wanted) return { create: Math.min(wanted - pods.length, BURST), remove: [] };
  const count = Math.min(pods.length - wanted, BURST);
  return { create: 0, remove: rankForDeletion(pods, related, now).slice(0, count) };
}

export interface ReplicaStatusInput {
  readonly generation: number | undefined;
  readonly template: Core.PodTemplateSpec | undefined;
  readonly minReadySeconds: number;
  readonly old: Apps.ReplicaSetStatus | undefined;
  /** Active pods the owner controls. */
  readonly pods: readonly Pod[];
  /** Why the last create or delete failed; undefined when it did not. */
  readonly failure?: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string } | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function replicaStatus(input: ReplicaStatusInput): Apps.ReplicaSetStatus {
  const { pods, now, old } = input;
  const templateLabels = Object.entries(input.template?.metadata?.labels ?? {});
  const labeled = pods.filter((pod) => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value));
  const conditions = replicaConditions(old?.conditions ?? [], input.failure, now);
  return {
    replicas: pods.length,
    ...nonZero('fullyLabeledReplicas', labeled.length),
    ...nonZero('readyReplicas', pods.filter(isPodReady).length),
    ...nonZero('availableReplicas', pods.filter((pod) => isAvailable(pod, input.minReadySeconds, now)).length),
    ...(input.generation !== undefined && { observedGeneration: input.generation }),
    ...(conditions.length > 0 && { conditions }),
  };
}

/** `{ name: count }`, or nothing for 0: the API leaves such counts out. */
export function nonZero<Name extends string>(name: Name, count: number): { [K in Name]?: number } {
  return (count === 0 ? {} : { [name]: count }) as { [K in Name]?: number };
}

function replicaConditions(
  old: readonly Apps.ReplicaSetCondition[],
  failure: ReplicaStatusInput['failure'],
  now: number,
): Apps.ReplicaSetCondition[] {
  const others = old.filter(({ type }) => type !== 'ReplicaFailure');
  if (!failure) return others;
  const known = old.find(({ type, reason }) => type === 'ReplicaFailure' && reason === failure.reason);
  return [
    ...others,
    known ?? {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: timestamp(now),
      reason: failure.reason,
      message: failure.message,
    },
  ];
}
