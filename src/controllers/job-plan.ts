/** The next step of a Job: which pods to start and stop, whether it has ended, and its status. Pure. */
import { isPodReady } from '../api/pods.ts';
import type { Batch, Job, Pod } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { countPods, countStatus, hasFailed, hasSucceeded, type JobCount } from './job-count.ts';
import { endedAt, indexOf, isIndexed, isTracked } from './job-pod.ts';
import { isTerminating, timeOf } from './pod-state.ts';
import { BURST } from './slow-start.ts';

/** The wait after the first failed pod, doubled after each further one. */
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 600_000;

export interface JobInput {
  readonly job: Job;
  /** All pods the Job controls, finished ones too. */
  readonly pods: readonly Pod[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface JobPlan {
  /** Indexes of pods to start; undefined entries for a Job that is not Indexed. */
  readonly create: readonly (number | undefined)[];
  /** Pods to stop. They lose the finalizer first, so they are not counted as failures. */
  readonly remove: readonly Pod[];
  /** Pods whose end is in `status`: they lose the finalizer once that is stored. */
  readonly untrack: readonly Pod[];
  readonly status: Batch.JobStatus;
  readonly events: readonly {
    readonly type: 'Normal' | 'Warning';
    readonly reason: string;
    readonly message: string;
  }[];
  /** Milliseconds until the next look without a change. */
  readonly checkIn?: number;
}

interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

type Condition = Batch.JobCondition;

export const finishedCondition = ({ status }: Job): Condition | undefined =>
  status?.conditions?.find(({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True');

export function planJob(input: JobInput): JobPlan {
  const { job, pods, now } = input;
  const count = countPods(job, pods);
  const active = pods.filter((pod) => !hasSucceeded(pod) && !hasFailed(pod));
  const suspended = job.spec.suspend === true;
  const startTime = suspended ? undefined : (job.status?.startTime ?? timestamp(now));
  const verdict = decideEnd(input, count, active, timeOf(startTime));
  const wave = verdict || suspended ? { create: [], remove: active } : nextWave(input, count, active);
  const remove = new Set(wave.remove);
  const conditions = { list: [...(job.status?.conditions ?? [])] };
  const events: JobPlan['events'][number][] = [];
  noteSuspension(job, conditions, events, now);
  const gone = pods.every((pod) => hasSucceeded(pod) || pod.status?.phase === 'Failed');
  const settled = gone && count.noted.succeeded.length + count.noted.failed.length === 0;
  if (verdict) noteEnd(verdict, settled, conditions, events, now);
  const kept = active.filter((pod) => !remove.has(pod));
  const checkIn = nextLook(input, wave.wait, timeOf(startTime), verdict !== undefined);
  return {
    create: wave.create,
    remove: wave.remove,
    untrack: pods.filter((pod) => isTracked(pod) && (hasSucceeded(pod) || hasFailed(pod))),
    status: {
      ...countStatus(job, count),
      ...(kept.length + wave.create.length > 0 && { active: kept.length + wave.create.length }),
      ready: kept.filter(isPodReady).length,
      terminating: pods.filter((pod) => isTerminating(pod) && !isEnded(pod)).length,
      ...(startTime !== undefined && { startTime }),
      ...(verdict?.type === 'Complete' && settled && { completionTime: timestamp(now) }),
      ...(conditions.list.length > 0 && { conditions: conditions.list }),
    },
    events,
    ...(checkIn !== undefined && { checkIn }),
  };
}

const isEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Whether the Job has come to its end, and which. Once decided it stays so while pods are still being stopped. */
function decideEnd(
  input: JobInput,
  count: JobCount,
  active: readonly Pod[],
  started: number | undefined,
): Verdict | undefined {
  const { job, now } = input;
  const { completions, backoffLimit = 6, activeDeadlineSeconds } = job.spec;
  for (const { type, reason = '', message = '', status } of job.status?.conditions ?? []) {
    if (status !== 'True') continue;
    if (type === 'SuccessCriteriaMet') return { type: 'Complete', reason, message };
    if (type === 'FailureTarget') return { type: 'Failed', reason, message };
  }
  if (count.allFailed > backoffLimit || restarts(job, active) > backoffLimit) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message };
  }
  if (activeDeadlineSeconds !== undefined && started !== undefined && now >= started + activeDeadlineSeconds * 1000) {
    const message = 'Job was active longer than specified deadline';
    return { type: 'Failed', reason: 'DeadlineExceeded', message };
  }
  const complete =
    completions === undefined ? count.allSucceeded > 0 && active.length === 0 : count.allSucceeded >= completions;
  if (!complete) return undefined;
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

/** Under restartPolicy OnFailure the kubelet's restarts are what counts against the limit. */
function restarts({ spec }: Job, active: readonly Pod[]): number {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return 0;
  return active
    .flatMap((pod) => [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])])
    .reduce((total, { restartCount }) => total + restartCount, 0);
}

interface Wave {
  readonly create: (number | undefined)[];
  readonly remove: Pod[];
  /** Milliseconds to wait before starting more, after failures. */
  readonly wait?: number;
}

function nextWave(input: JobInput, count: JobCount, active: readonly Pod[]): Wave {
  const { job } = input;
  const surplus = isIndexed(job) ? duplicates(job, count, active) : [];
  const kept = active.filter((pod) => !surplus.includes(pod));
  const wanted = wantedActive(job, count, kept.length);
  if (kept.length > wanted)
    return { create: [], remove: [...surplus, ...leastUseful(kept).slice(0, kept.length - wanted)] };
  const missing = Math.min(wanted - kept.length, BURST);
  if (missing === 0) return { create: [], remove: surplus };
  const wait = delayAfterFailures(input);
  if (wait > 0) return { create: [], remove: surplus, wait };
  if (!isIndexed(job)) return { create: Array<undefined>(missing).fill(undefined), remove: surplus };
  const taken = new Set([...count.completed, ...kept.flatMap((pod) => indexOf(pod) ?? [])]);
  const free = Array.from({ length: job.spec.completions ?? 0 }, (_, at) => at).filter((at) => !taken.has(at));
  return { create: free.slice(0, missing), remove: surplus };
}

function wantedActive({ spec }: Job, count: JobCount, active: number): number {
  const parallelism = spec.parallelism ?? 1;
  // A work queue: once one has succeeded no more are started, those that run may finish.
  if (spec.completions === undefined) return count.allSucceeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.min(Math.max(0, spec.completions - count.allSucceeded), parallelism);
}

/** Of an Indexed Job: pods of an index that is done, beyond the last, or there twice. */
function duplicates(job: Job, count: JobCount, active: readonly Pod[]): Pod[] {
  const seen = new Set<number>();
  return active.filter((pod) => {
    const index = indexOf(pod);
    const extra =
      index === undefined || index >= (job.spec.completions ?? 0) || count.completed.has(index) || seen.has(index);
    if (index !== undefined) seen.add(index);
    return extra;
  });
}

/** Not ready first, then the youngest. */
function leastUseful(pods: readonly Pod[]): Pod[] {
  const created = (pod: Pod) => timeOf(pod.metadata.creationTimestamp) ?? 0;
  return [...pods].sort((a, b) => Number(isPodReady(a)) - Number(isPodReady(b)) || created(b) - created(a));
}

/** Milliseconds still to wait, by the failures in a row since the last success. */
function delayAfterFailures({ pods, now }: JobInput): number {
  const lastSuccess = Math.max(0, ...pods.filter(hasSucceeded).map((pod) => endedAt(pod, now)));
  // A pod the controller itself has stopped is terminating too, but no longer tracked.
  const failures = pods
    .filter((pod) => pod.status?.phase === 'Failed' || (hasFailed(pod) && isTracked(pod)))
    .map((pod) => endedAt(pod, now));
  const inARow = failures.filter((at) => at > lastSuccess);
  if (inARow.length === 0) return 0;
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (inARow.length - 1));
  return Math.max(0, Math.max(...inARow) + delay - now);
}

function nextLook(
  { job, now }: JobInput,
  wait: number | undefined,
  started: number | undefined,
  ended: boolean,
): number | undefined {
  if (ended) return undefined;
  const { activeDeadlineSeconds } = job.spec;
  const deadline =
    activeDeadlineSeconds === undefined || started === undefined ? [] : [started + activeDeadlineSeconds * 1000 - now];
  const waits = [...deadline, ...(wait === undefined ? [] : [wait])];
  return waits.length === 0 ? undefined : Math.max(1, Math.min(...waits));
}

function setCondition(conditions: { list: Condition[] }, condition: Condition, now: number): boolean {
  const old = conditions.list.find(({ type }) => type === condition.type);
  if (old?.status === condition.status && old.reason === condition.reason) return false;
  const time = timestamp(now);
  const others = conditions.list.filter(({ type }) => type !== condition.type);
  conditions.list = [...others, { ...condition, lastProbeTime: time, lastTransitionTime: time }];
  return true;
}

function noteSuspension(
  job: Job,
  conditions: { list: Condition[] },
  events: JobPlan['events'][number][],
  now: number,
): void {
  const isMarked = conditions.list.some(({ type, status }) => type === 'Suspended' && status === 'True');
  if (job.spec.suspend === true) {
    const condition = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' };
    if (setCondition(conditions, condition, now)) {
      events.push({ type: 'Normal', reason: 'Suspended', message: 'Job suspended' });
    }
  } else if (isMarked) {
    setCondition(conditions, { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }, now);
    events.push({ type: 'Normal', reason: 'Resumed', message: 'Job resumed' });
  }
}

/** First what the end will be, then, when the last pod has stopped and is counted, the end itself. */
function noteEnd(
  { type, reason, message }: Verdict,
  settled: boolean,
  conditions: { list: Condition[] },
  events: JobPlan['events'][number][],
  now: number,
): void {
  const early = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  setCondition(conditions, { type: early, status: 'True', reason, message }, now);
  if (!settled) return;
  setCondition(conditions, { type, status: 'True', reason, message }, now);
  if (type === 'Complete') events.push({ type: 'Normal', reason: 'Completed', message: 'Job completed' });
  else events.push({ type: 'Warning', reason, message });
}
