/** The CronJob controller: starts a Job at each time its schedule names. */
import { isAlreadyExists } from '../api/api-error.ts';
import { CRON_JOBS, JOBS } from '../api/kinds.ts';
import type { CronJob, Job } from '../api/types.ts';
import { lostRace } from './adoption.ts';
import { ignoreNotFound, isNamespaceTerminating, messageOf } from './api-outcomes.ts';
import { sameValue } from './canonical.ts';
import { planCronJob, type CronPlan } from './cron-job-plan.ts';
import { controllerKeys, defineController, done, itself, retryAfter, splitKey, trigger } from './loop.ts';
import type { Controller, View } from './loop.ts';
import { uidOf } from './pod-control.ts';

export const cronJobController = (): Controller =>
  defineController({
    name: 'cronjob-controller',
    triggers: [trigger(CRON_JOBS, itself), trigger(JOBS, controllerKeys(CRON_JOBS))],
    async reconcile(key, view) {
      const { namespace, name } = splitKey(key);
      const cronJob = view.get(CRON_JOBS, name, namespace);
      if (!cronJob) return done;
      const jobs = view.byIndex(JOBS, 'controller', uidOf(cronJob));
      const plan = planCronJob({ cronJob, jobs, now: view.clock.now() });
      try {
        await carryOut(plan, cronJob, view);
      } catch (error) {
        if (lostRace(error)) return retryAfter(50);
        throw error;
      }
      return plan.checkIn === undefined ? done : retryAfter(plan.checkIn);
    },
  });

async function carryOut(plan: CronPlan, cronJob: CronJob, view: View): Promise<void> {
  if (plan.warning) view.event(cronJob, 'Warning', plan.warning.reason, plan.warning.message);
  for (const job of [...plan.remove, ...plan.replace]) await remove(job, cronJob, view);
  if (plan.create) await create(plan.create, cronJob, view);
  if (sameValue(plan.status, cronJob.status ?? {})) return;
  await view.client.update(CRON_JOBS, { ...cronJob, status: plan.status }, { subresource: 'status' });
}

/** The name holds the time, so a Job that is there already was started by an earlier try. */
async function create(job: Job, cronJob: CronJob, view: View): Promise<void> {
  try {
    await view.client.create(JOBS, job);
  } catch (error) {
    if (isAlreadyExists(error) || isNamespaceTerminating(error)) return;
    view.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
    throw error;
  }
  view.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`);
}

async function remove({ metadata }: Job, cronJob: CronJob, view: View): Promise<void> {
  const { name, namespace, uid } = metadata;
  const options = { propagationPolicy: 'Background', ...(uid !== undefined && { preconditions: { uid } }) } as const;
  await ignoreNotFound(view.client.delete(JOBS, name, namespace, options));
  view.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
}
