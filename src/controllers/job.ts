/** The Job controller: runs pods until enough have succeeded, and deletes finished Jobs when their time to live is over. */
import { isNotFound } from '../api/api-error.ts';
import { JOBS, PODS } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { Job, Pod } from '../api/types.ts';
import { claim, lostRace, orphanIndex } from './adoption.ts';
import { ignoreNotFound } from './api-outcomes.ts';
import { sameValue } from './canonical.ts';
import { isTracked, jobPod, withoutTracking } from './job-pod.ts';
import { finishedCondition, planJob } from './job-plan.ts';
import { defineController, done, index, keyOf, retryAfter, splitKey, trigger } from './loop.ts';
import type { Controller, Outcome, View } from './loop.ts';
import { PodControl, uidOf } from './pod-control.ts';
import { isTerminating, timeOf } from './pod-state.ts';
import { controllerOf } from './pod-template.ts';

export const jobController = (): Controller => {
  const podControl = new PodControl(JOBS);
  return defineController({
    name: 'job-controller',
    triggers: [
      trigger(JOBS, (change) => {
        if (change.type === 'deleted') podControl.forget(change.object);
        return [keyOf(change.object)];
      }),
      podControl.trigger((pod, view) =>
        view
          .list(JOBS, pod.metadata.namespace)
          .filter((job) => matches(job, pod))
          .map(keyOf),
      ),
    ],
    indexes: [index(PODS, orphanIndex), index(PODS, { trackedJob })],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const job = view.get(JOBS, name, namespace);
      await freeStrays(key, job, view);
      if (!job || isTerminating(job)) return done;
      if (finishedCondition(job)) return expire(job, view);
      return sync(job, podControl, view);
    },
  });
};

/** A Job whose selector was never filled in keeps what it made and adopts nothing. */
const matches = (job: Job, pod: Pod): boolean =>
  job.spec.selector === undefined
    ? controllerOf(pod)?.uid === uidOf(job)
    : matchLabelSelector(job.spec.selector, pod.metadata.labels ?? {});

/** Pods that wait for a Job to count them, by the Job's key. */
function trackedJob(pod: Pod): string[] {
  const owner = controllerOf(pod);
  return isTracked(pod) && owner?.kind === JOBS.kind ? [`${pod.metadata.namespace ?? ''}/${owner.name}`] : [];
}

/** Pods whose Job is gone, going, or another of the same name would keep their finalizer for ever. */
async function freeStrays(key: string, job: Job | undefined, view: View): Promise<void> {
  const counting = job && !isTerminating(job) && !finishedCondition(job) ? uidOf(job) : undefined;
  const strays = view.byIndex(PODS, 'trackedJob', key).filter((pod) => controllerOf(pod)?.uid !== counting);
  if (strays.length === 0 || (!job && (await exists(key, view)))) return;
  for (const pod of strays) await untrack(pod, view);
}

/** Asks the server: the cache of Jobs may be behind that of Pods. */
async function exists(key: string, view: View): Promise<boolean> {
  const { namespace, name } = splitKey(key);
  try {
    await view.client.get(JOBS, name, namespace);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function untrack(pod: Pod, view: View): Promise<void> {
  if (isTracked(pod)) await ignoreNotFound(view.client.update(PODS, withoutTracking(pod)));
}

async function sync(job: Job, podControl: PodControl, view: View): Promise<Outcome> {
  const wait = podControl.waitFor(job, view);
  const pods = await claim(view, { ownerKind: JOBS, owner: job, kind: PODS, matches: (pod) => matches(job, pod) });
  const plan = planJob({ job, pods, now: view.clock.now() });
  const held = wait > 0 ? { ...plan, create: [], remove: [] } : plan;
  try {
    for (const pod of held.remove) await untrack(pod, view);
    await podControl.remove(job, held.remove, view);
    // Before any finalizer goes: what is not in the stored status would be lost.
    if (!sameValue(plan.status, job.status)) {
      await view.client.update(JOBS, { ...job, status: plan.status }, { subresource: 'status' });
      for (const { type, reason, message } of plan.events) view.event(job, type, reason, message);
    }
    for (const pod of plan.untrack) await untrack(pod, view);
  } catch (error) {
    if (lostRace(error)) return retryAfter(50);
    throw error;
  }
  await podControl.create(
    job,
    held.create.map((at) => jobPod(job, at)),
    view,
  );
  const waits = [wait, plan.checkIn ?? 0].filter((ms) => ms > 0);
  return waits.length > 0 ? retryAfter(Math.min(...waits)) : done;
}

/** Deletes a finished Job `ttlSecondsAfterFinished` after its end. */
async function expire(job: Job, view: View): Promise<Outcome> {
  const { ttlSecondsAfterFinished } = job.spec;
  const ended = timeOf(job.status?.completionTime ?? finishedCondition(job)?.lastTransitionTime);
  if (ttlSecondsAfterFinished === undefined || ended === undefined) return done;
  const left = ended + ttlSecondsAfterFinished * 1000 - view.clock.now();
  if (left > 0) return retryAfter(left);
  const { name, namespace } = job.metadata;
  const deletion = { propagationPolicy: 'Foreground', preconditions: { uid: uidOf(job) } } as const;
  await ignoreNotFound(view.client.delete(JOBS, name, namespace, deletion));
  return done;
}
