/** The Deployment controller: carries out one step of `planRollout` at a time. */
import { isAlreadyExists } from '../api/api-error.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { Deployment, KubeObject, ReplicaSet } from '../api/types.ts';
import { isNamespaceTerminating, messageOf } from './api-outcomes.ts';
import { claim, lostRace, orphanIndex } from './adoption.ts';
import { sameValue } from './canonical.ts';
import { planRollout, type Resize, type RolloutPlan } from './deployment-plan.ts';
import { newCondition, withCondition } from './deployment-status.ts';
import {
  controllerKeys,
  defineController,
  done,
  index,
  itself,
  keyOf,
  retryAfter,
  splitKey,
  trigger,
  type Controller,
  type View,
} from './loop.ts';
import { uidOf } from './pod-control.ts';
import { controllerOf, sameTemplate } from './pod-template.ts';

export const deploymentController = (): Controller =>
  defineController({
    name: 'deployment-controller',
    triggers: [
      trigger(DEPLOYMENTS, itself),
      trigger(REPLICA_SETS, (change, view) => {
        const owners = controllerKeys(DEPLOYMENTS)(change);
        return owners.length > 0 || controllerOf(change.object) ? owners : adopters(change.object, view);
      }),
      // Recreate waits for the last old pod to go.
      trigger(PODS, (change, view) => (change.type === 'deleted' ? ownersOfPod(change.object, view) : [])),
    ],
    indexes: [index(REPLICA_SETS, orphanIndex)],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const deployment = view.get(DEPLOYMENTS, name, namespace);
      if (!deployment || isEmptySelector(deployment)) return done;
      const replicaSets = await claim<ReplicaSet>(view, {
        ownerKind: DEPLOYMENTS,
        owner: deployment,
        kind: REPLICA_SETS,
        matches: (candidate) => matches(deployment, candidate),
      });
      const podsOf = (replicaSet: ReplicaSet) => view.byIndex(PODS, 'controller', uidOf(replicaSet));
      const plan = planRollout({ deployment, replicaSets, podsOf, now: view.clock.now() });
      try {
        await carryOut(plan, deployment, view);
      } catch (error) {
        if (lostRace(error)) return retryAfter(50);
        throw error;
      }
      return plan.checkIn === undefined ? done : retryAfter(plan.checkIn);
    },
  });

const matches = (deployment: Deployment, object: KubeObject): boolean =>
  !isEmptySelector(deployment) && matchLabelSelector(deployment.spec.selector, object.metadata.labels ?? {});

function isEmptySelector({ spec }: Deployment): boolean {
  const { matchLabels, matchExpressions } = spec.selector;
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}

const adopters = (object: KubeObject, view: View): string[] =>
  view
    .list(DEPLOYMENTS, object.metadata.namespace)
    .filter((deployment) => matches(deployment, object))
    .map(keyOf);

function ownersOfPod(pod: KubeObject, view: View): string[] {
  const owner = controllerOf(pod);
  if (owner?.kind !== REPLICA_SETS.kind) return [];
  const replicaSet = view.get(REPLICA_SETS, owner.name, pod.metadata.namespace);
  const parent = replicaSet && controllerOf(replicaSet);
  return parent?.kind === DEPLOYMENTS.kind ? [`${pod.metadata.namespace ?? ''}/${parent.name}`] : [];
}

async function carryOut(plan: RolloutPlan, deployment: Deployment, view: View): Promise<void> {
  if (plan.create && !(await create(plan.create, deployment, view))) return;
  for (const resize of plan.update) {
    await view.client.update(REPLICA_SETS, resize.replicaSet);
    tell(resize, deployment, view);
  }
  for (const { metadata } of plan.remove) {
    const { name, namespace, uid } = metadata;
    await view.client.delete(REPLICA_SETS, name, namespace, {
      propagationPolicy: 'Background',
      ...(uid !== undefined && { preconditions: { uid } }),
    });
  }
  const current = plan.revision === undefined ? deployment : await writeRevision(plan.revision, deployment, view);
  await writeStatus(plan.status, current, view);
}

function tell({ message }: Resize, deployment: Deployment, view: View): void {
  if (message !== undefined) view.event(deployment, 'Normal', 'ScalingReplicaSet', message);
}

/** False when the step ends here: the name was taken, and what to do about it has been written. */
async function create(resize: Resize, deployment: Deployment, view: View): Promise<boolean> {
  try {
    await view.client.create(REPLICA_SETS, resize.replicaSet);
    tell(resize, deployment, view);
    return true;
  } catch (error) {
    if (isNamespaceTerminating(error)) return false;
    if (isAlreadyExists(error)) {
      await settleCollision(resize.replicaSet, deployment, view);
      return false;
    }
    const message = `Failed to create new replica set "${resize.replicaSet.metadata.name}": ${messageOf(error)}`;
    view.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
    const failed = newCondition('Progressing', 'False', 'ReplicaSetCreateError', message, view.clock.now());
    const conditions = withCondition(deployment.status?.conditions ?? [], failed);
    await writeStatus({ ...deployment.status, conditions }, deployment, view);
    throw error;
  }
}

/** Ours with the same template: the cache was only late, its event follows. Anything else: another hash next time. */
async function settleCollision(wanted: ReplicaSet, deployment: Deployment, view: View): Promise<void> {
  const { name, namespace } = wanted.metadata;
  const taken = await view.client.get(REPLICA_SETS, name, namespace);
  if (controllerOf(taken)?.uid === uidOf(deployment) && sameTemplate(taken.spec.template, wanted.spec.template)) return;
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
  await writeStatus({ ...deployment.status, collisionCount }, deployment, view);
}

async function writeRevision(revision: string, { metadata }: Deployment, view: View): Promise<Deployment> {
  const patch = { metadata: { annotations: { 'deployment.kubernetes.io/revision': revision } } };
  return view.client.patch(DEPLOYMENTS, metadata.name, metadata.namespace, 'merge', patch);
}

async function writeStatus(
  status: NonNullable<Deployment['status']>,
  deployment: Deployment,
  view: View,
): Promise<void> {
  if (sameValue(status, deployment.status)) return;
  await view.client.update(DEPLOYMENTS, { ...deployment, status }, { subresource: 'status' });
}
