/** Deployment, ReplicaSet, ReplicationController, DaemonSet, StatefulSet, Job, CronJob: fields left out. */
import type {
  Core,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { defaultPodSpec } from './pod-spec.ts';

/** What was decoded may lack what the types promise; validation says so later. */
type Incomplete<T> = { [K in keyof T]?: T[K] };

function defaultTemplate(template: Core.PodTemplateSpec | undefined): void {
  if (template?.spec) defaultPodSpec(template.spec);
}

const emptySpec = <T extends { spec: object }>(object: T): void => {
  (object as { spec?: object }).spec ??= {};
};

export function defaultDeployment(deployment: Deployment): void {
  emptySpec(deployment);
  const { spec } = deployment;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultTemplate(spec.template);
}

export function defaultReplicaSet(replicaSet: ReplicaSet): void {
  emptySpec(replicaSet);
  replicaSet.spec.replicas ??= 1;
  defaultTemplate(replicaSet.spec.template);
}

/** Selector and labels come from the template: the shape tutorials use. */
export function defaultReplicationController(controller: ReplicationController): void {
  emptySpec(controller);
  const { spec, metadata } = controller;
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(labels).length > 0) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  }
  spec.replicas ??= 1;
  defaultTemplate(spec.template);
}

export function defaultDaemonSet(daemonSet: DaemonSet): void {
  emptySpec(daemonSet);
  const { spec } = daemonSet;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultTemplate(spec.template);
}

export function defaultStatefulSet(statefulSet: StatefulSet): void {
  emptySpec(statefulSet);
  const { spec } = statefulSet;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    if (claim.spec) claim.spec.volumeMode ||= 'Filesystem';
  }
  defaultTemplate(spec.template);
}

const noBackoffLimit = 2 ** 31 - 1;

export function defaultJob(job: Job): void {
  emptySpec(job);
  const { spec, metadata } = job;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : noBackoffLimit;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  const template = spec.template as Core.PodTemplateSpec | undefined;
  const labels = template?.metadata?.labels;
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  defaultTemplate(template);
}

export function defaultCronJob(cronJob: CronJob): void {
  emptySpec(cronJob);
  const { spec } = cronJob;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  const { jobTemplate }: Incomplete<CronJob['spec']> = spec;
  defaultTemplate(jobTemplate?.spec?.template);
}
