/** The ReplicaSet controller: keeps as many pods as asked for. ReplicationControllers run on the same core. */
import { matchLabelSelector } from '../api/selectors.ts';
import { PODS, REPLICA_SETS, type Kind } from '../api/kinds.ts';
import type { Apps, Core, KubeObject, Meta, Pod, ReplicaSet } from '../api/types.ts';
import { messageOf } from './api-outcomes.ts';
import { claim, lostRace, orphanIndex } from './adoption.ts';
import { sameValue } from './canonical.ts';
import {
  defineController,
  done,
  index,
  keyOf,
  retryAfter,
  splitKey,
  trigger,
  type Controller,
  type View,
} from './loop.ts';
import { PodControl, uidOf } from './pod-control.ts';
import { isActive, isTerminating, nextAvailable } from './pod-state.ts';
import { controllerOf, podFromTemplate } from './pod-template.ts';
import { planReplicas, replicaStatus, type ReplicaStatusInput } from './replica-set-plan.ts';

/** What ReplicaSets and ReplicationControllers have in common. */
export interface ReplicaOwner extends KubeObject {
  spec: { replicas?: number; minReadySeconds?: number; template?: Core.PodTemplateSpec };
  readonly status?: Apps.ReplicaSetStatus;
}

export interface ReplicaRow<T extends ReplicaOwner> {
  /** Name of the controller in logs and events. */
  readonly name: string;
  readonly kind: Kind<T>;
  /** Undefined selects nothing. */
  readonly selectorOf: (owner: T) => Meta.LabelSelector | undefined;
}

export const replicaSetController = (): Controller =>
  replicaController<ReplicaSet>({
    name: 'replicaset-controller',
    kind: REPLICA_SETS,
    selectorOf: ({ spec }) => spec.selector,
  });

/** The controller for one row. Each keeps expectations of its own. */
export function replicaController<T extends ReplicaOwner>(row: ReplicaRow<T>): Controller {
  const podControl = new PodControl(row.kind);
  return defineController({
    name: row.name,
    triggers: [
      trigger(row.kind, (change) => {
        if (change.type === 'deleted') podControl.forget(change.object);
        return [keyOf(change.object)];
      }),
      podControl.trigger((pod, view) =>
        view
          .list(row.kind, pod.metadata.namespace)
          .filter((owner) => matcher(row, owner)(pod))
          .map(keyOf),
      ),
    ],
    indexes: [index(PODS, orphanIndex)],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const owner = view.get(row.kind, name, namespace);
      if (!owner) return done;
      // Asked before the pods are read: an event in between makes the wait too long, never the list too old.
      const wait = podControl.waitFor(owner, view);
      const claimed = await claim(view, { ownerKind: row.kind, owner, kind: PODS, matches: matcher(row, owner) });
      const pods = claimed.filter(isActive);
      const failure =
        wait === 0 && !isTerminating(owner) ? await adjust(row, podControl, owner, pods, view) : undefined;
      await writeStatus(row.kind, owner, pods, failure, view);
      if (failure) throw failure.error;
      const soonest = nextAvailable(pods, owner.spec.minReadySeconds ?? 0, view.clock.now());
      const waits = [wait, soonest ?? 0].filter((ms) => ms > 0);
      return waits.length > 0 ? retryAfter(Math.min(...waits)) : done;
    },
  });
}

function matcher<T extends ReplicaOwner>(row: ReplicaRow<T>, owner: T): (pod: KubeObject) => boolean {
  const selector = row.selectorOf(owner);
  return (pod) => selector !== undefined && matchLabelSelector(selector, pod.metadata.labels ?? {});
}

type Failure = NonNullable<ReplicaStatusInput['failure']> & { error: unknown };

async function adjust<T extends ReplicaOwner>(
  row: ReplicaRow<T>,
  podControl: PodControl,
  owner: T,
  pods: readonly Pod[],
  view: View,
): Promise<Failure | undefined> {
  const plan = planReplicas(owner.spec.replicas ?? 1, pods, familyOf(row.kind, owner, pods, view), view.clock.now());
  const reason = plan.create > 0 ? 'FailedCreate' : 'FailedDelete';
  try {
    const created = Array.from({ length: plan.create }, () => podFromTemplate(owner.spec.template, row.kind, owner));
    if (plan.create > 0) await podControl.create(owner, created, view);
    else await podControl.remove(owner, plan.remove, view);
    return undefined;
  } catch (error) {
    return { reason, message: messageOf(error), error };
  }
}

/** Pods of every sibling under the same Deployment; the owner's own where it has no controller. */
function familyOf(kind: Kind, owner: ReplicaOwner, pods: readonly Pod[], view: View): readonly Pod[] {
  const parent = controllerOf(owner);
  if (parent === undefined) return pods;
  return view
    .byIndex(kind, 'controller', parent.uid)
    .flatMap((sibling) => view.byIndex(PODS, 'controller', uidOf(sibling)));
}

async function writeStatus<T extends ReplicaOwner>(
  kind: Kind<T>,
  owner: T,
  pods: readonly Pod[],
  failure: Failure | undefined,
  view: View,
): Promise<void> {
  const status = replicaStatus({
    generation: owner.metadata.generation,
    template: owner.spec.template,
    minReadySeconds: owner.spec.minReadySeconds ?? 0,
    old: owner.status,
    pods,
    failure: failure && { reason: failure.reason, message: failure.message },
    now: view.clock.now(),
  });
  if (sameValue(status, owner.status)) return;
  try {
    await view.client.update(kind, { ...owner, status }, { subresource: 'status' });
  } catch (error) {
    if (!lostRace(error)) throw error;
  }
}
