/** The next step of a CronJob: which time is due, what becomes of Jobs still running, which finished ones go. Pure. */
import { CRON_JOBS } from '../api/kinds.ts';
import type { Batch, CronJob, Job } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { isTimeZone, nextTime, parseSchedule, type Schedule } from './cron-schedule.ts';
import { finishedCondition } from './job-plan.ts';
import { timeOf } from './pod-state.ts';
import { controllerReference } from './pod-template.ts';

export interface CronInput {
  readonly cronJob: CronJob;
  /** The Jobs it controls. */
  readonly jobs: readonly Job[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface CronPlan {
  readonly create?: Job;
  /** Running Jobs that make room (concurrencyPolicy Replace). */
  readonly replace: readonly Job[];
  /** Finished Jobs beyond the history limits. */
  readonly remove: readonly Job[];
  readonly status: Batch.CronJobStatus;
  readonly warning?: { readonly reason: string; readonly message: string };
  /** Milliseconds until the next time. */
  readonly checkIn?: number;
}

/** More missed times than this are not counted one by one. */
const MANY = 100;

export function planCronJob(input: CronInput): CronPlan {
  const { cronJob, jobs, now } = input;
  const { spec, status = {} } = cronJob;
  const running = jobs.filter((job) => !finishedCondition(job));
  const base = { replace: [], remove: beyondLimits(input), status: statusOf(input, running, status.lastScheduleTime) };
  const schedule = parseSchedule(spec.schedule);
  if (!schedule) {
    return { ...base, warning: { reason: 'UnparseableSchedule', message: `unparseable schedule: "${spec.schedule}"` } };
  }
  if (spec.suspend === true || cronJob.metadata.deletionTimestamp !== undefined) return base;
  const zone = spec.timeZone ?? 'UTC';
  if (!isTimeZone(zone)) {
    const message = `invalid timeZone: "${zone}": unknown time zone ${zone}`;
    return { ...base, warning: { reason: 'UnknownTimeZone', message } };
  }
  const next = nextTime(schedule, now, zone);
  const plan = { ...base, ...(next !== undefined && { checkIn: next - now + 100 }) };
  const due = latestDue(input, schedule, zone);
  if (due === undefined) return plan;
  if (due.missed > MANY) {
    const message = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    return { ...plan, warning: { reason: 'TooManyMissedTimes', message } };
  }
  if (spec.startingDeadlineSeconds !== undefined && due.time + spec.startingDeadlineSeconds * 1000 < now) {
    const message = `Missed scheduled time to start a job: ${timestamp(due.time)}`;
    return { ...plan, warning: { reason: 'MissSchedule', message } };
  }
  const job = jobFor(cronJob, due.time);
  if (jobs.some(({ metadata }) => metadata.name === job.metadata.name)) return plan;
  if (spec.concurrencyPolicy === 'Forbid' && running.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    return { ...plan, warning: { reason: 'JobAlreadyActive', message } };
  }
  const replace = spec.concurrencyPolicy === 'Replace' ? running : [];
  const kept = running.filter((each) => !replace.includes(each));
  return { ...plan, create: job, replace, status: statusOf(input, kept, timestamp(due.time)) };
}

/** The newest time that has passed since the last one was acted on, and how many there were. */
function latestDue({ cronJob, now }: CronInput, schedule: Schedule, zone: string) {
  const { spec, status, metadata } = cronJob;
  const last = timeOf(status?.lastScheduleTime) ?? timeOf(metadata.creationTimestamp) ?? now;
  const deadline = spec.startingDeadlineSeconds;
  const earliest = deadline === undefined ? last : Math.max(last, now - deadline * 1000);
  let found: { time: number; missed: number } | undefined;
  for (let time = nextTime(schedule, earliest, zone); time !== undefined && time <= now;) {
    found = { time, missed: (found?.missed ?? 0) + 1 };
    if (found.missed > MANY) break;
    time = nextTime(schedule, time, zone);
  }
  return found;
}

/** The name carries the time in minutes, so that one time never starts two Jobs. */
function jobFor(cronJob: CronJob, time: number): Job {
  const { jobTemplate } = structuredClone(cronJob.spec);
  const { namespace } = cronJob.metadata;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${cronJob.metadata.name}-${String(Math.floor(time / 60_000))}`,
      ...(namespace !== undefined && { namespace }),
      ...(jobTemplate.metadata?.labels && { labels: jobTemplate.metadata.labels }),
      annotations: {
        ...jobTemplate.metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': timestamp(time),
      },
      ownerReferences: [controllerReference(CRON_JOBS, cronJob)],
    },
    spec: jobTemplate.spec ?? { template: {} },
  };
}

function beyondLimits({ cronJob, jobs }: CronInput): Job[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
  const started = (job: Job) => timeOf(job.status?.startTime ?? job.metadata.creationTimestamp) ?? 0;
  const ended = (type: string) =>
    jobs.filter((job) => finishedCondition(job)?.type === type).sort((a, b) => started(a) - started(b));
  const surplus = (list: Job[], limit: number) => list.slice(0, Math.max(0, list.length - limit));
  return [
    ...surplus(ended('Complete'), successfulJobsHistoryLimit),
    ...surplus(ended('Failed'), failedJobsHistoryLimit),
  ];
}

function statusOf({ cronJob, jobs }: CronInput, running: readonly Job[], lastScheduleTime: string | undefined) {
  const completions = jobs.flatMap(({ status }) => status?.completionTime ?? []);
  const lastSuccess = [...completions, cronJob.status?.lastSuccessfulTime ?? ''].sort().at(-1);
  return {
    ...(running.length > 0 && { active: running.map(referenceTo) }),
    ...(lastScheduleTime !== undefined && { lastScheduleTime }),
    ...(lastSuccess && { lastSuccessfulTime: lastSuccess }),
  };
}

const referenceTo = ({ metadata: { name, namespace, uid, resourceVersion } }: Job) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  name,
  ...(namespace !== undefined && { namespace }),
  ...(uid !== undefined && { uid }),
  ...(resourceVersion !== undefined && { resourceVersion }),
});
