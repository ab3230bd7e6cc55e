/**
 * How many Pods of a PodDisruptionBudget may be evicted now (the Kubernetes task "Specifying a Disruption Budget for your Application").
 * Pure: times are milliseconds since the epoch.
 */
import { isPodReady } from '../api/pods.ts';
import type { Meta, Pod, PodDisruptionBudget, Policy } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { resolveIntOrPercent } from './int-or-percent.ts';
import { isTerminating, timeOf } from './pod-state.ts';

export type DisruptionStatus = Policy.PodDisruptionBudgetStatus;

/** An eviction that was granted and not followed by a deletion for so long is forgotten. */
export const DELETION_TIMEOUT = 2 * 60_000;

/** Whether the workloads of the Pods say what is wanted: a number of Pods that must be there needs none. */
export const needsScale = ({ spec }: PodDisruptionBudget): boolean =>
  spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string';

interface Expectation {
  /** How many Pods there should be. */
  readonly expectedPods: number;
  readonly desiredHealthy: number;
}

/** `scale`: replicas that the workloads of the Pods are asked for; only looked at where `needsScale`. */
export function expectationOf(budget: PodDisruptionBudget, podCount: number, scale: number): Expectation {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const spared = resolveIntOrPercent(maxUnavailable, scale, 'up');
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - spared) };
  }
  if (typeof minAvailable === 'string') {
    return { expectedPods: scale, desiredHealthy: resolveIntOrPercent(minAvailable, scale, 'up') };
  }
  return { expectedPods: podCount, desiredHealthy: minAvailable ?? 0 };
}

interface Pending {
  /** Granted evictions whose deletion has not been seen yet. */
  readonly disrupted: Record<string, string>;
  /** Names of Pods that were to go and did not. */
  readonly overdue: readonly string[];
  /** When the first of `disrupted` is overdue; undefined: there is none. */
  readonly nextAt: number | undefined;
}

export function pendingEvictions(budget: PodDisruptionBudget, pods: readonly Pod[], now: number): Pending {
  const disrupted: Record<string, string> = {};
  const overdue: string[] = [];
  let nextAt: number | undefined;
  for (const pod of pods) {
    const { name } = pod.metadata;
    const since = Object.hasOwn(budget.status?.disruptedPods ?? {}, name)
      ? budget.status?.disruptedPods?.[name]
      : undefined;
    if (since === undefined || isTerminating(pod)) continue;
    const at = (timeOf(since) ?? 0) + DELETION_TIMEOUT;
    if (at <= now) overdue.push(name);
    else {
      disrupted[name] = since;
      nextAt = Math.min(nextAt ?? at, at);
    }
  }
  return { disrupted, overdue, nextAt };
}

interface StatusInput {
  readonly budget: PodDisruptionBudget;
  readonly pods: readonly Pod[];
  readonly expectation: Expectation;
  readonly disrupted: Record<string, string>;
  readonly now: number;
}

export function disruptionStatus({ budget, pods, expectation, disrupted, now }: StatusInput): DisruptionStatus {
  const healthy = pods.filter(
    (pod) => !isTerminating(pod) && !Object.hasOwn(disrupted, pod.metadata.name) && isPodReady(pod),
  );
  const spare = Math.max(0, healthy.length - expectation.desiredHealthy);
  const disruptionsAllowed = expectation.expectedPods <= 0 ? 0 : spare;
  return {
    ...expectation,
    currentHealthy: healthy.length,
    disruptionsAllowed,
    ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted }),
    ...generation(budget),
    conditions: withCondition(
      budget,
      disruptionsAllowed > 0
        ? { status: 'True', reason: 'SufficientPods', message: '' }
        : { status: 'False', reason: 'InsufficientPods', message: '' },
      now,
    ),
  };
}

/** What is not known must not be disrupted. */
export function failedStatus(budget: PodDisruptionBudget, message: string, now: number): DisruptionStatus {
  const before = budget.status ?? { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  return {
    ...before,
    disruptionsAllowed: 0,
    ...generation(budget),
    conditions: withCondition(budget, { status: 'False', reason: 'SyncFailed', message }, now),
  };
}

const generation = ({ metadata }: PodDisruptionBudget) =>
  metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };

function withCondition(
  { metadata, status }: PodDisruptionBudget,
  told: { readonly status: string; readonly reason: string; readonly message: string },
  now: number,
): Meta.Condition[] {
  const all = status?.conditions ?? [];
  const old = all.find(({ type }) => type === 'DisruptionAllowed');
  const condition: Meta.Condition = {
    type: 'DisruptionAllowed',
    ...told,
    lastTransitionTime: old?.status === told.status ? old.lastTransitionTime : timestamp(now),
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
  };
  return [...all.filter(({ type }) => type !== 'DisruptionAllowed'), condition];
}
