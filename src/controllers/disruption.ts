/** The disruption controller: says in each PodDisruptionBudget how many of its Pods may be evicted; without it none ever may. */
import {
  apiVersionOf,
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
  type Kind,
} from '../api/kinds.ts';
import { formatLabelSelector, matchLabelSelector } from '../api/selectors.ts';
import type { KubeObject, Pod, PodDisruptionBudget } from '../api/types.ts';
import { lostRace } from './adoption.ts';
import { sameValue } from './canonical.ts';
import {
  disruptionStatus,
  expectationOf,
  failedStatus,
  needsScale,
  pendingEvictions,
  type DisruptionStatus,
} from './disruption-plan.ts';
import { defineController, done, itself, keyOf, retryAfter, splitKey, trigger, type View } from './loop.ts';
import { controllerOf } from './pod-template.ts';

/** Kinds that say how many Pods they want. */
const SCALED: readonly Kind[] = [REPLICA_SETS, DEPLOYMENTS, STATEFUL_SETS, REPLICATION_CONTROLLERS];

export const disruptionController = defineController({
  name: 'disruption-controller',
  triggers: [
    trigger(POD_DISRUPTION_BUDGETS, (change) => (change.type === 'deleted' ? [] : itself(change))),
    trigger(PODS, (change, view) => {
      const pods = change.type === 'updated' ? [change.old, change.object] : [change.object];
      return view
        .list(POD_DISRUPTION_BUDGETS, change.object.metadata.namespace)
        .filter((budget) => pods.some((pod) => covers(budget, pod)))
        .map(keyOf);
    }),
    // Of a change of replicas the Pods tell only once some of them have come or gone.
    ...SCALED.map((kind) =>
      trigger(kind, (change, view) =>
        change.type === 'updated' && replicasOf(change.old) !== replicasOf(change.object)
          ? view.list(POD_DISRUPTION_BUDGETS, change.object.metadata.namespace).filter(needsScale).map(keyOf)
          : [],
      ),
    ),
  ],
  async reconcile(key, view) {
    const { namespace, name } = splitKey(key);
    const budget = view.get(POD_DISRUPTION_BUDGETS, name, namespace);
    if (!budget) return done;
    const now = view.clock.now();
    const pods = view.list(PODS, namespace).filter((pod) => covers(budget, pod));
    if (pods.length === 0) view.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const scale = needsScale(budget) ? scaleOf(budget, pods, view) : 0;
    if (typeof scale === 'string') {
      const message = `Failed to calculate the number of expected pods: ${scale}`;
      view.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
      await writeStatus(budget, failedStatus(budget, scale, now), view);
      return done;
    }
    const { disrupted, overdue, nextAt } = pendingEvictions(budget, pods, now);
    for (const pod of overdue) {
      view.event(budget, 'Warning', 'NotDeleted', `Pod ${pod} was expected by PDB ${key} to be deleted but it wasn't`);
    }
    const expectation = expectationOf(budget, pods.length, scale);
    await writeStatus(budget, disruptionStatus({ budget, pods, expectation, disrupted, now }), view);
    return nextAt === undefined ? done : retryAfter(nextAt - now);
  },
});

const covers = (budget: PodDisruptionBudget, pod: Pod): boolean =>
  matchLabelSelector(budget.spec?.selector, pod.metadata.labels ?? {});

const replicasOf = (object: KubeObject): number => (object as { spec?: { replicas?: number } }).spec?.replicas ?? 1;

/** Replicas that all workloads behind `pods` are asked for together; a text says of which Pod nothing is known. Pods of nobody do not count. */
function scaleOf(budget: PodDisruptionBudget, pods: readonly Pod[], view: View): number | string {
  const workloads = new Map<string, number>();
  let unmanaged = false;
  for (const pod of pods) {
    if (!controllerOf(pod)) {
      unmanaged = true;
      continue;
    }
    const workload = workloadOf(pod, view);
    if (!workload) return `found no controllers for pod "${pod.metadata.name}"`;
    workloads.set(workload.metadata.uid ?? '', replicasOf(workload));
  }
  if (unmanaged) {
    const selector = formatLabelSelector(budget.spec?.selector);
    const message =
      `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot ` +
      'be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
    view.event(budget, 'Warning', 'UnmanagedPods', message);
  }
  return [...workloads.values()].reduce((sum, replicas) => sum + replicas, 0);
}

/** What a person scales: the Deployment of a ReplicaSet's Pod, else the controller itself. */
function workloadOf(object: KubeObject, view: View): KubeObject | undefined {
  const reference = controllerOf(object);
  const kind = SCALED.find((each) => each.kind === reference?.kind && apiVersionOf(each) === reference.apiVersion);
  if (!reference || !kind) return undefined;
  const owner = view.get(kind, reference.name, object.metadata.namespace);
  if (owner?.metadata.uid !== reference.uid) return undefined;
  return workloadOf(owner, view) ?? owner;
}

async function writeStatus(budget: PodDisruptionBudget, status: DisruptionStatus, view: View): Promise<void> {
  if (sameValue(status, budget.status)) return;
  try {
    // With the version it was read in: an eviction that was granted in between must not be forgotten.
    await view.client.update(POD_DISRUPTION_BUDGETS, { ...budget, status }, { subresource: 'status' });
  } catch (error) {
    if (!lostRace(error)) throw error;
  }
}
