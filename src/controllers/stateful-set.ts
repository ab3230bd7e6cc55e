/** The StatefulSet controller: pods with names of their own, in order. */
import { isAlreadyExists } from '../api/api-error.ts';
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { ControllerRevision, KubeObject, Pod, StatefulSet } from '../api/types.ts';
import { claim, lostRace, orphanIndex } from './adoption.ts';
import { ignoreNotFound, isNamespaceTerminating, messageOf } from './api-outcomes.ts';
import { sameValue } from './canonical.ts';
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
  type Outcome,
  type View,
} from './loop.ts';
import { uidOf } from './pod-control.ts';
import { isTerminating, nextAvailable } from './pod-state.ts';
import { controllerOf } from './pod-template.ts';
import { hashOf, templateOf, type History } from './revision.ts';
import { syncHistory, trimHistory } from './revision-control.ts';
import { planStateful, statefulStatus, type StatefulInput, type StatefulPlan } from './stateful-set-plan.ts';
import { claimsOf, ordinalOf, statefulPod } from './stateful-set-pod.ts';

export const statefulSetController = (): Controller =>
  defineController({
    name: 'statefulset-controller',
    triggers: [
      trigger(STATEFUL_SETS, itself),
      trigger(CONTROLLER_REVISIONS, controllerKeys(STATEFUL_SETS)),
      trigger(PODS, (change, view) => {
        const owners = controllerKeys(STATEFUL_SETS)(change);
        return owners.length > 0 || controllerOf(change.object) ? owners : adopters(change.object, view);
      }),
    ],
    indexes: [index(PODS, orphanIndex), index(CONTROLLER_REVISIONS, orphanIndex)],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const set = view.get(STATEFUL_SETS, name, namespace);
      if (!set || isTerminating(set)) return done;
      return sync(set, view);
    },
  });

/** By name as well as by labels: a set takes in only what could be one of its own. */
const matches = (set: StatefulSet, object: KubeObject): boolean =>
  ordinalOf(set, object) !== undefined && matchLabelSelector(set.spec.selector, object.metadata.labels ?? {});

const adopters = (pod: KubeObject, view: View): string[] =>
  view
    .list(STATEFUL_SETS, pod.metadata.namespace)
    .filter((set) => matches(set, pod))
    .map(keyOf);

async function sync(set: StatefulSet, view: View): Promise<Outcome> {
  const history = await syncHistory(STATEFUL_SETS, set, set.status?.collisionCount ?? 0, view);
  if (history === 'collision') {
    await writeStatus(set, { replicas: 0, ...set.status, collisionCount: (set.status?.collisionCount ?? 0) + 1 }, view);
    return done;
  }
  const current = history.old.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? history.current;
  const pods = await claim(view, {
    ownerKind: STATEFUL_SETS,
    owner: set,
    kind: PODS,
    matches: (pod) => matches(set, pod),
  });
  const input: StatefulInput = {
    set,
    pods,
    current: hashOf(current),
    update: hashOf(history.current),
    now: view.clock.now(),
  };
  const names = { current: current.metadata.name, update: history.current.metadata.name };
  await writeStatus(set, statefulStatus(input, names), view);
  await carryOut(planStateful(input), set, { current, update: history.current }, view);
  await trim(set, history, pods, current, view);
  const soonest = nextAvailable(pods, set.spec.minReadySeconds ?? 0, view.clock.now());
  return soonest === undefined ? done : retryAfter(soonest);
}

async function trim(
  set: StatefulSet,
  history: History,
  pods: readonly Pod[],
  current: ControllerRevision,
  view: View,
): Promise<void> {
  const hashes = new Set(pods.map(({ metadata }) => metadata.labels?.['controller-revision-hash']));
  const inUse = history.old.filter((revision) => hashes.has(hashOf(revision)) || revision === current);
  await trimHistory(set, history, new Set(inUse.map(({ metadata }) => metadata.name)), view);
}

/** Names are fixed, so a stale cache can do no harm: a pod created twice is refused, one deleted twice is another's uid. */
async function carryOut(
  plan: StatefulPlan,
  set: StatefulSet,
  revisions: { readonly current: ControllerRevision; readonly update: ControllerRevision },
  view: View,
): Promise<void> {
  for (const pod of plan.remove) await remove(set, pod, view);
  for (const { ordinal, revision } of plan.create) {
    const chosen = revisions[revision];
    await create(set, ordinal, statefulPod(set, ordinal, templateOf(chosen), hashOf(chosen)), view);
  }
}

async function create(set: StatefulSet, ordinal: number, pod: Pod, view: View): Promise<void> {
  const { name } = pod.metadata;
  try {
    await createClaims(set, ordinal, view);
    await view.client.create(PODS, pod);
  } catch (error) {
    if (isAlreadyExists(error) || isNamespaceTerminating(error)) return;
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(error)}`;
    view.event(set, 'Warning', 'FailedCreate', message);
    throw error;
  }
  const message = `create Pod ${name} in StatefulSet ${set.metadata.name} successful`;
  view.event(set, 'Normal', 'SuccessfulCreate', message);
}

async function createClaims(set: StatefulSet, ordinal: number, view: View): Promise<void> {
  for (const volumeClaim of claimsOf(set, ordinal)) {
    try {
      await view.client.create(PERSISTENT_VOLUME_CLAIMS, volumeClaim);
    } catch (error) {
      if (isAlreadyExists(error)) continue;
      throw error;
    }
    const message = `create Claim ${volumeClaim.metadata.name} Pod ${set.metadata.name}-${String(ordinal)} in StatefulSet ${set.metadata.name} success`;
    view.event(set, 'Normal', 'SuccessfulCreate', message);
  }
}

async function remove(set: StatefulSet, pod: Pod, view: View): Promise<void> {
  const { name, namespace } = pod.metadata;
  await ignoreNotFound(view.client.delete(PODS, name, namespace, { preconditions: { uid: uidOf(pod) } }));
  view.event(set, 'Normal', 'SuccessfulDelete', `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`);
}

async function writeStatus(set: StatefulSet, status: NonNullable<StatefulSet['status']>, view: View): Promise<void> {
  if (sameValue(status, set.status)) return;
  try {
    await view.client.update(STATEFUL_SETS, { ...set, status }, { subresource: 'status' });
  } catch (error) {
    if (!lostRace(error)) throw error;
  }
}
