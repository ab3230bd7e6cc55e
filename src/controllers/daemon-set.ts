/** The DaemonSet controller: one pod on every node that suits, updated a few nodes at a time. */
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { DaemonSet, KubeObject, Node } from '../api/types.ts';
import { claim, lostRace, orphanIndex } from './adoption.ts';
import { sameValue } from './canonical.ts';
import { daemonPod, nodeOf } from './daemon-set-pod.ts';
import { daemonStatus, planDaemons, type DaemonPlan } from './daemon-set-plan.ts';
import {
  controllerKeys,
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
import { PacedRetry } from './paced-retry.ts';
import { PodControl } from './pod-control.ts';
import { isTerminating, nextAvailable } from './pod-state.ts';
import { hashOf, REVISION_LABEL } from './revision.ts';
import { syncHistory, trimHistory } from './revision-control.ts';
import { BURST } from './slow-start.ts';

export const daemonSetController = (): Controller => {
  const podControl = new PodControl(DAEMON_SETS);
  // A daemon that fails at once would otherwise be made anew as fast as it dies.
  const failures = new PacedRetry(1000, 15 * 60_000);
  return defineController({
    name: 'daemonset-controller',
    triggers: [
      trigger(DAEMON_SETS, (change) => {
        if (change.type === 'deleted') podControl.forget(change.object);
        return [keyOf(change.object)];
      }),
      trigger(CONTROLLER_REVISIONS, controllerKeys(DAEMON_SETS)),
      podControl.trigger((pod, view) =>
        view
          .list(DAEMON_SETS, pod.metadata.namespace)
          .filter((daemonSet) => matches(daemonSet, pod))
          .map(keyOf),
      ),
      trigger(NODES, (change, view) =>
        change.type === 'updated' && sameForDaemons(change.old, change.object) ? [] : view.list(DAEMON_SETS).map(keyOf),
      ),
    ],
    indexes: [index(PODS, orphanIndex), index(CONTROLLER_REVISIONS, orphanIndex)],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const daemonSet = view.get(DAEMON_SETS, name, namespace);
      if (!daemonSet || isTerminating(daemonSet)) return done;
      return sync(daemonSet, podControl, failures, view);
    },
  });
};

const matches = ({ spec }: DaemonSet, { metadata }: KubeObject): boolean =>
  matchLabelSelector(spec.selector, metadata.labels ?? {});

/** Heartbeats and image lists change all the time; only labels and taints decide. */
const sameForDaemons = (a: Node, b: Node): boolean =>
  sameValue([a.metadata.labels, a.spec?.taints], [b.metadata.labels, b.spec?.taints]);

async function sync(daemonSet: DaemonSet, podControl: PodControl, failures: PacedRetry, view: View) {
  const wait = podControl.waitFor(daemonSet, view);
  const history = await syncHistory(DAEMON_SETS, daemonSet, daemonSet.status?.collisionCount ?? 0, view);
  if (history === 'collision') {
    const collisionCount = (daemonSet.status?.collisionCount ?? 0) + 1;
    await writeStatus(daemonSet, { ...daemonStatus(input([], '')), collisionCount }, view);
    return done;
  }
  const hash = hashOf(history.current);
  const pods = await claim(view, {
    ownerKind: DAEMON_SETS,
    owner: daemonSet,
    kind: PODS,
    matches: (pod) => matches(daemonSet, pod),
  });
  const plan = planDaemons(input(pods, hash));
  await writeStatus(daemonSet, daemonStatus(input(pods, hash)), view);
  if (wait > 0) return retryAfter(wait);
  const patience = await carryOut(plan, daemonSet, hash, podControl, failures, view);
  const inUse = new Set(
    pods.map(({ metadata }) => `${daemonSet.metadata.name}-${metadata.labels?.[REVISION_LABEL] ?? ''}`),
  );
  await trimHistory(daemonSet, history, inUse, view);
  const waits = [patience, nextAvailable(pods, daemonSet.spec.minReadySeconds ?? 0, view.clock.now()) ?? 0];
  const soonest = Math.min(...waits.filter((ms) => ms > 0));
  return Number.isFinite(soonest) ? retryAfter(soonest) : done;

  function input(owned: typeof pods, label: string) {
    return { daemonSet, nodes: view.list(NODES), pods: owned, hash: label, now: view.clock.now() };
  }
}

/** Milliseconds to wait before failed pods may be replaced; 0: none waits. */
async function carryOut(
  plan: DaemonPlan,
  daemonSet: DaemonSet,
  hash: string,
  podControl: PodControl,
  failures: PacedRetry,
  view: View,
): Promise<number> {
  const pause = plan.failed.length === 0 ? 0 : failures.tryAgain(keyOf(daemonSet), view.clock.now());
  const remove = pause === 0 ? plan.remove : plan.remove.filter((pod) => !plan.failed.includes(pod));
  if (pause === 0) tellFailed(plan, daemonSet, view);
  const create = plan.create.slice(0, BURST).map((node) => daemonPod(daemonSet, node, hash));
  await podControl.create(daemonSet, create, view);
  await podControl.remove(daemonSet, remove.slice(0, BURST), view);
  return pause;
}

function tellFailed({ failed }: DaemonPlan, daemonSet: DaemonSet, view: View): void {
  for (const pod of failed) {
    const message = `Found failed daemon pod ${keyOf(pod)} on node ${nodeOf(pod) ?? ''}, will try to kill it`;
    view.event(daemonSet, 'Warning', 'FailedDaemonPod', message);
  }
}

async function writeStatus(daemonSet: DaemonSet, status: NonNullable<DaemonSet['status']>, view: View): Promise<void> {
  if (sameValue(status, daemonSet.status)) return;
  try {
    await view.client.update(DAEMON_SETS, { ...daemonSet, status }, { subresource: 'status' });
  } catch (error) {
    if (!lostRace(error)) throw error;
  }
}
