/**
 * The next step of a StatefulSet. Under OrderedReady one pod at a time: created upwards once all below are available, deleted downwards.
 * Under Parallel the order is dropped, for updates it stays: from the highest ordinal down, one at a time. Pure.
 */
import { isPodReady, isPodTerminal } from '../api/pods.ts';
import type { Apps, Pod, StatefulSet } from '../api/types.ts';
import { isAvailable, isTerminating } from './pod-state.ts';
import { nonZero } from './replica-set-plan.ts';
import { REVISION_LABEL } from './revision.ts';
import { ordinalOf, ordinalsOf } from './stateful-set-pod.ts';

export interface StatefulInput {
  readonly set: StatefulSet;
  /** All pods the set controls, whatever their number. */
  readonly pods: readonly Pod[];
  /** Hash labels of the revision most pods have had so far, and of the present template. */
  readonly current: string;
  readonly update: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface StatefulPlan {
  readonly create: readonly { readonly ordinal: number; readonly revision: 'current' | 'update' }[];
  readonly remove: readonly Pod[];
}

export function planStateful(input: StatefulInput): StatefulPlan {
  const { set, pods } = input;
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  const wanted = ordinalsOf(set);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const plan = { create: [] as StatefulPlan['create'][number][], remove: [] as Pod[] };

  for (const ordinal of wanted) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) plan.create.push({ ordinal, revision: revisionFor(input, ordinal) });
    else if (isPodTerminal(pod) && !isTerminating(pod)) plan.remove.push(pod);
    else if (isHealthy(input, pod)) continue;
    // In order, what follows waits until this one is there, gone or available.
    if (ordered) return plan;
  }
  const condemned = pods
    .filter((pod) => !wanted.includes(ordinalOf(set, pod) ?? -1))
    .sort((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  for (const pod of condemned) {
    if (!isTerminating(pod)) plan.remove.push(pod);
    if (ordered) return plan;
  }
  if (plan.create.length + plan.remove.length > 0) return plan;
  return { create: [], remove: planUpdate(input, wanted, byOrdinal) };
}

/** The highest pod of an old revision, once every one above it is healthy again. */
function planUpdate(
  input: StatefulInput,
  wanted: readonly number[],
  byOrdinal: ReadonlyMap<number | undefined, Pod>,
): Pod[] {
  if (input.set.spec.updateStrategy?.type === 'OnDelete') return [];
  for (const ordinal of wanted.filter((each) => each >= partitionOf(input.set)).reverse()) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) return [];
    if (!hasRevision(pod, input.update)) return isTerminating(pod) ? [] : [pod];
    if (!isHealthy(input, pod)) return [];
  }
  return [];
}

/** The first ordinal that gets the new revision. */
function partitionOf({ spec }: StatefulSet): number {
  return spec.updateStrategy?.rollingUpdate?.partition ?? 0;
}

/** A pod below the partition comes back as what it was. */
function revisionFor({ set }: StatefulInput, ordinal: number): 'current' | 'update' {
  if (set.spec.updateStrategy?.type === 'OnDelete') return 'update';
  return ordinal < partitionOf(set) ? 'current' : 'update';
}

const hasRevision = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[REVISION_LABEL] === hash;

const isHealthy = ({ set, now }: StatefulInput, pod: Pod): boolean =>
  !isTerminating(pod) && isRunning(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, now);

const isRunning = (pod: Pod): boolean => pod.status?.phase === 'Running';

/**
 * @param names of the ControllerRevisions behind the two hashes. When all pods are of the new revision and ready it becomes the
 * current one.
 */
export function statefulStatus(
  input: StatefulInput,
  names: { readonly current: string; readonly update: string },
): Apps.StatefulSetStatus {
  const { set, now } = input;
  const pods = input.pods.filter((pod) => !isPodTerminal(pod));
  const live = pods.filter((pod) => !isTerminating(pod));
  const ready = pods.filter((pod) => isRunning(pod) && isPodReady(pod));
  const available = ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now));
  const updated = live.filter((pod) => hasRevision(pod, input.update)).length;
  const current = live.filter((pod) => hasRevision(pod, input.current)).length;
  const rolling = set.spec.updateStrategy?.type !== 'OnDelete';
  const complete =
    rolling && updated === pods.length && ready.length === pods.length && pods.length === (set.spec.replicas ?? 1);
  const { generation } = set.metadata;
  return {
    replicas: pods.length,
    ...nonZero('readyReplicas', ready.length),
    availableReplicas: available.length,
    ...nonZero('currentReplicas', complete ? updated : current),
    ...nonZero('updatedReplicas', updated),
    currentRevision: complete ? names.update : names.current,
    updateRevision: names.update,
    collisionCount: set.status?.collisionCount ?? 0,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  };
}
