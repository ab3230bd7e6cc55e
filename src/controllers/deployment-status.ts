/** What a Deployment says about itself: counts, Available, Progressing and ReplicaFailure. Texts are those kubectl users know. */
import type { Apps, Deployment, ReplicaSet } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { desiredOf, maxUnavailable, sizeOf, sum } from './deployment-size.ts';
import { timeOf } from './pod-state.ts';
import { nonZero } from './replica-set-plan.ts';

export type Condition = Apps.DeploymentCondition;

/** No deadline: the largest 32-bit number stands for "never". */
const NO_DEADLINE = 2 ** 31 - 1;

export const hasDeadline = (deployment: Deployment): boolean =>
  deployment.spec.progressDeadlineSeconds !== undefined && deployment.spec.progressDeadlineSeconds !== NO_DEADLINE;

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

export function newCondition(type: string, status: string, reason: string, message: string, now: number): Condition {
  const time = timestamp(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message };
}

/** The list with `condition` in it. Same status and reason: nothing happened, the old one stays; same status: its transition time stays. */
export function withCondition(conditions: readonly Condition[], condition: Condition): Condition[] {
  const old = conditionOf(conditions, condition.type);
  if (old?.status === condition.status && old.reason === condition.reason) return [...conditions];
  const kept =
    old?.status === condition.status ? { ...condition, lastTransitionTime: old.lastTransitionTime } : condition;
  return [...without(conditions, condition.type), stripUndefined(kept)];
}

const stripUndefined = (condition: Condition & { lastTransitionTime?: string | undefined }): Condition => {
  const { lastTransitionTime, ...rest } = condition;
  return lastTransitionTime === undefined ? rest : { ...rest, lastTransitionTime };
};

export const without = (conditions: readonly Condition[], type: string): Condition[] =>
  conditions.filter((condition) => condition.type !== type);

/** Counts and Available; other conditions are taken over as they are. */
export function countedStatus(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  now: number,
): Apps.DeploymentStatus {
  const available = sum(all.map(({ status }) => status?.availableReplicas ?? 0));
  const { generation } = deployment.metadata;
  const old = deployment.status;
  const enough = available >= desiredOf(deployment) - maxUnavailable(deployment);
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    ...nonZero('replicas', sum(all.map(({ status }) => status?.replicas ?? 0))),
    ...nonZero('updatedReplicas', newest?.status?.replicas ?? 0),
    ...nonZero('readyReplicas', sum(all.map(({ status }) => status?.readyReplicas ?? 0))),
    ...nonZero('availableReplicas', available),
    ...nonZero('unavailableReplicas', Math.max(0, sum(all.map(sizeOf)) - available)),
    ...nonZero('collisionCount', old?.collisionCount ?? 0),
    conditions: withCondition(
      old?.conditions ?? [],
      enough
        ? newCondition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
        : newCondition(
            'Available',
            'False',
            'MinimumReplicasUnavailable',
            'Deployment does not have minimum availability.',
            now,
          ),
    ),
  };
}

/** Every pod is of the newest template and available, and the controller has seen the newest spec. */
export function isComplete(deployment: Deployment, status: Apps.DeploymentStatus): boolean {
  const desired = desiredOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(deployment: Deployment, status: Apps.DeploymentStatus): boolean {
  const old = deployment.status ?? {};
  const outdated = (each: Apps.DeploymentStatus) => (each.replicas ?? 0) - (each.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(status) < outdated(old) ||
    (status.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

/** Milliseconds until the rollout counts as stuck (0: it does), or undefined while no clock is ticking. */
export function deadlineIn(deployment: Deployment, status: Apps.DeploymentStatus, now: number): number | undefined {
  const condition = conditionOf(status.conditions, 'Progressing');
  if (!hasDeadline(deployment) || condition === undefined || condition.reason === 'NewReplicaSetAvailable')
    return undefined;
  if (condition.reason === 'ProgressDeadlineExceeded') return 0;
  const from = timeOf(condition.lastUpdateTime) ?? now;
  return Math.max(0, from + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - now);
}

/** Adds Progressing and ReplicaFailure to a counted status. */
export function rolloutStatus(
  deployment: Deployment,
  counted: Apps.DeploymentStatus,
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  now: number,
): Apps.DeploymentStatus {
  let conditions = counted.conditions ?? [];
  const progressing = conditionOf(conditions, 'Progressing');
  if (!hasDeadline(deployment)) conditions = without(conditions, 'Progressing');
  const finished =
    (counted.replicas ?? 0) === (counted.updatedReplicas ?? 0) && progressing?.reason === 'NewReplicaSetAvailable';
  if (hasDeadline(deployment) && !finished) {
    conditions = withProgress(deployment, { ...counted, conditions }, newest, now);
  }
  const failure = [newest, ...all]
    .flatMap((replicaSet) => replicaSet?.status?.conditions ?? [])
    .find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  conditions = failure
    ? withCondition(
        conditions,
        newCondition('ReplicaFailure', failure.status, failure.reason ?? '', failure.message ?? '', now),
      )
    : without(conditions, 'ReplicaFailure');
  return { ...counted, conditions };
}

function withProgress(
  deployment: Deployment,
  status: Apps.DeploymentStatus,
  newest: ReplicaSet | undefined,
  now: number,
): Condition[] {
  const conditions = status.conditions ?? [];
  const who = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const progressing = (value: string, reason: string, message: string) =>
    newCondition('Progressing', value, reason, message, now);
  if (isComplete(deployment, status)) {
    const done = progressing('True', 'NewReplicaSetAvailable', `${who} has successfully progressed.`);
    return withCondition(conditions, done);
  }
  if (hasProgressed(deployment, status)) {
    const old = conditionOf(conditions, 'Progressing');
    const moved = progressing('True', 'ReplicaSetUpdated', `${who} is progressing.`);
    // Replaced even where nothing but the time changes: lastUpdateTime is what the deadline counts from.
    const since = old?.status === 'True' ? old.lastTransitionTime : undefined;
    return [
      ...without(conditions, 'Progressing'),
      since === undefined ? moved : { ...moved, lastTransitionTime: since },
    ];
  }
  if (deadlineIn(deployment, status, now) === 0) {
    const late = progressing('False', 'ProgressDeadlineExceeded', `${who} has timed out progressing.`);
    return withCondition(conditions, late);
  }
  return conditions;
}

/** A paused Deployment's clock stands still: Progressing says so, and starts anew on resume. */
export function pauseConditions(deployment: Deployment, now: number): Condition[] {
  const conditions = deployment.status?.conditions ?? [];
  const old = conditionOf(conditions, 'Progressing');
  if (!hasDeadline(deployment) || old?.reason === 'ProgressDeadlineExceeded') return conditions;
  const isMarked = old?.reason === 'DeploymentPaused';
  if (deployment.spec.paused === true && !isMarked) {
    const paused = newCondition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', now);
    return withCondition(conditions, paused);
  }
  if (deployment.spec.paused !== true && isMarked) {
    const resumed = newCondition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', now);
    return withCondition(conditions, resumed);
  }
  return conditions;
}
