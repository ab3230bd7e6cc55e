/** The pods of a Job: their labels, their index, and the finalizer by which none of them is counted twice or never. Pure. */
import { JOBS } from '../api/kinds.ts';
import type { Core, Job, Pod } from '../api/types.ts';
import { readySince, timeOf } from './pod-state.ts';
import { podFromTemplate } from './pod-template.ts';

/** A pod keeps it until its end has been written into the Job's status. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
const INDEX = 'batch.kubernetes.io/job-completion-index';

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(TRACKING) ?? false;

export function withoutTracking(pod: Pod): Pod {
  const finalizers = (pod.metadata.finalizers ?? []).filter((each) => each !== TRACKING);
  return { ...pod, metadata: { ...pod.metadata, finalizers } };
}

export const isIndexed = ({ spec }: Job): boolean => spec.completionMode === 'Indexed';

/** The index of a pod of an Indexed Job, or undefined. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX] ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** What the API server puts on the template too; here for Jobs that came another way. */
export function jobLabels({ metadata }: Job): Record<string, string> {
  const uid = metadata.uid ?? '';
  return {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': metadata.name,
    'controller-uid': uid,
    'job-name': metadata.name,
  };
}

/** @param index undefined for a Job that is not Indexed */
export function jobPod(job: Job, index: number | undefined): Pod {
  const pod = podFromTemplate(job.spec.template, JOBS, job);
  const manual = job.spec.manualSelector === true;
  pod.metadata.labels = { ...(!manual && jobLabels(job)), ...pod.metadata.labels };
  pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), TRACKING];
  if (index === undefined) return pod;
  const name = `${job.metadata.name}-${String(index)}`;
  pod.metadata.generateName = `${name}-`;
  pod.metadata.labels[INDEX] = String(index);
  pod.metadata.annotations = { ...pod.metadata.annotations, [INDEX]: String(index) };
  pod.spec = {
    ...pod.spec,
    hostname: name,
    containers: pod.spec.containers.map(withIndex),
    ...(pod.spec.initContainers && { initContainers: pod.spec.initContainers.map(withIndex) }),
  };
  return pod;
}

function withIndex(container: Core.Container): Core.Container {
  const env = container.env ?? [];
  if (env.some(({ name }) => name === 'JOB_COMPLETION_INDEX')) return container;
  const fieldPath = `metadata.annotations['${INDEX}']`;
  return { ...container, env: [...env, { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } }] };
}

/** Milliseconds since the epoch at which a finished or deleted pod ended, as well as its status tells. */
export function endedAt(pod: Pod, now: number): number {
  const times = (pod.status?.containerStatuses ?? []).flatMap(
    ({ state }) => timeOf(state?.terminated?.finishedAt) ?? [],
  );
  if (times.length > 0) return Math.max(...times);
  const transitions = (pod.status?.conditions ?? []).flatMap(
    ({ lastTransitionTime }) => timeOf(lastTransitionTime) ?? [],
  );
  return (
    timeOf(pod.metadata.deletionTimestamp) ??
    readySince(pod) ??
    (transitions.length > 0 ? Math.max(...transitions) : now)
  );
}
