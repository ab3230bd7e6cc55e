/** pods/eviction: deletes a Pod unless a PodDisruptionBudget says it is needed (feature 8-086). */
import { ApiError, internalError } from '../../api/api-error.ts';
import type { ParsedBody } from '../../api/json.ts';
import { POD_DISRUPTION_BUDGETS, PODS } from '../../api/kinds.ts';
import { isPodReady } from '../../api/pods.ts';
import { matchLabelSelector } from '../../api/selectors.ts';
import type { KubeObject, Pod, PodDisruptionBudget } from '../../api/types.ts';
import { timestamp } from '../../lib/clock.ts';
import type { Core, WriteContext } from '../core.ts';
import { prefixOf } from '../keys.ts';
import { readObject } from '../read.ts';
import { updateObject } from '../update.ts';

export const EVICTION = { group: 'policy', version: 'v1', kind: 'Eviction' } as const;
const EVICTION_V1BETA1 = { ...EVICTION, version: 'v1beta1' } as const;

/** kubectl before 1.22 sends the older version, which is the same, to the same place. */
export function evictionKindOf({ value }: ParsedBody): typeof EVICTION | typeof EVICTION_V1BETA1 {
  const { apiVersion } = (value ?? {}) as { apiVersion?: unknown };
  return apiVersion === 'policy/v1beta1' ? EVICTION_V1BETA1 : EVICTION;
}

/** Throws TooManyRequests (429) when a budget does not allow it now. What follows is an ordinary deletion. */
export async function admitEviction(core: Core, namespace: string, name: string, context: WriteContext): Promise<void> {
  const pod = (await readObject(core, PODS, namespace, name)).object as Pod;
  const phase = pod.status?.phase;
  // A Pod that has ended, was never started or is already going serves nobody.
  if (pod.metadata.deletionTimestamp || phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending') return;
  const budgets = core.cache
    .of(POD_DISRUPTION_BUDGETS)
    .range(`${prefixOf(POD_DISRUPTION_BUDGETS)}${namespace}/`)
    .map((entry) => entry.object as PodDisruptionBudget)
    .filter((budget) => matchLabelSelector(budget.spec?.selector, pod.metadata.labels));
  if (budgets.length > 1) {
    throw internalError(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const [budget] = budgets;
  if (!budget || sparesUnhealthy(budget, pod)) return;
  await updateObject(
    core,
    POD_DISRUPTION_BUDGETS,
    namespace,
    budget.metadata.name,
    {
      through: 'raw',
      apply: (current) => spend(current, name, core.clock.now()),
    },
    context,
  );
}

/** A Pod that is not ready costs the budget nothing: it may go if enough others are healthy, or always where the budget says so (KEP-3017). */
function sparesUnhealthy({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  if (isPodReady(pod)) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

function spend(current: KubeObject | undefined, pod: string, now: number): KubeObject {
  const budget = current as PodDisruptionBudget;
  const { status } = budget;
  if (!status || status.disruptionsAllowed <= 0) throw refusal(budget);
  budget.status = {
    ...status,
    disruptionsAllowed: status.disruptionsAllowed - 1,
    disruptedPods: { ...status.disruptedPods, [pod]: timestamp(now) },
  };
  return budget;
}

function refusal({ metadata, status }: PodDisruptionBudget): ApiError {
  return new ApiError({
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: `The disruption budget ${metadata.name} needs ${String(status?.desiredHealthy ?? 0)} healthy pods and has ${String(status?.currentHealthy ?? 0)} currently`,
        },
      ],
    },
  });
}
