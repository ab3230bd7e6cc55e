/**
 * Counting a Job's finished pods exactly once, across restarts and pods that vanish: a pod's uid is first noted in the status, then its
 * finalizer is taken off, and only when that has been seen does the note become a count. Pure.
 */
import type { Batch, Job, Pod } from '../api/types.ts';
import { formatIndexes, parseIndexes } from './job-index.ts';
import { indexOf, isIndexed, isTracked } from './job-pod.ts';
import { isTerminating } from './pod-state.ts';

export interface JobCount {
  readonly succeeded: number;
  readonly failed: number;
  /** Uids noted but not yet counted. Their pods lose the finalizer once this has been stored. */
  readonly noted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  readonly completed: ReadonlySet<number>;
  /** Succeeded and failed pods including the noted ones: what decisions are made on. */
  readonly allSucceeded: number;
  readonly allFailed: number;
}

export const hasSucceeded = ({ status }: Pod): boolean => status?.phase === 'Succeeded';

/** A pod that is being deleted before its end counts as failed at once: its replacement need not wait for it. */
export const hasFailed = (pod: Pod): boolean =>
  pod.status?.phase === 'Failed' || (isTerminating(pod) && !hasSucceeded(pod));

export function countPods(job: Job, pods: readonly Pod[]): JobCount {
  const status = job.status ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid ?? '', pod]));
  const completed = parseIndexes(status.completedIndexes ?? '', job.spec.completions ?? 0);
  const count = (which: 'succeeded' | 'failed', isSo: (pod: Pod) => boolean) => {
    const noted = status.uncountedTerminatedPods?.[which] ?? [];
    const waiting = noted.filter((uid) => tracked.has(uid));
    const fresh = [...tracked].filter(([uid, pod]) => isSo(pod) && !isNoted(job, uid)).map(([uid]) => uid);
    return { counted: (status[which] ?? 0) + noted.length - waiting.length, noted: [...waiting, ...fresh] };
  };
  const failed = count('failed', hasFailed);
  const succeeded = count('succeeded', hasSucceeded);
  if (isIndexed(job)) {
    for (const pod of tracked.values()) {
      const index = hasSucceeded(pod) ? indexOf(pod) : undefined;
      if (index !== undefined && index < (job.spec.completions ?? 0)) completed.add(index);
    }
  }
  return {
    succeeded: isIndexed(job) ? completed.size : succeeded.counted,
    failed: failed.counted,
    noted: { succeeded: isIndexed(job) ? [] : succeeded.noted, failed: failed.noted },
    completed,
    allSucceeded: isIndexed(job) ? completed.size : succeeded.counted + succeeded.noted.length,
    allFailed: failed.counted + failed.noted.length,
  };
}

function isNoted({ status }: Job, uid: string): boolean {
  const { succeeded = [], failed = [] } = status?.uncountedTerminatedPods ?? {};
  return succeeded.includes(uid) || failed.includes(uid);
}

/** The counting part of a Job's status. */
export function countStatus(job: Job, count: JobCount): Batch.JobStatus {
  const { succeeded, failed } = count.noted;
  return {
    ...(count.succeeded > 0 && { succeeded: count.succeeded }),
    ...(count.failed > 0 && { failed: count.failed }),
    uncountedTerminatedPods: {
      ...(succeeded.length > 0 && { succeeded: [...succeeded] }),
      ...(failed.length > 0 && { failed: [...failed] }),
    },
    ...(isIndexed(job) && count.completed.size > 0 && { completedIndexes: formatIndexes(count.completed) }),
  };
}
