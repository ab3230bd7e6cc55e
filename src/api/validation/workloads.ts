/** Deployments to CronJobs: selectors that fit their template, strategies that can make progress, what may never change. */
import { semanticEqual } from '../deep-equal.ts';
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { validateAnnotations, validateLabels } from '../meta.ts';
import { matchLabelMap, matchLabelSelector } from '../selectors.ts';
import type {
  Core,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  Meta,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { isCronSchedule } from './cron-schedule.ts';
import { mustFollow, notNegative, oneOf, requiredOneOf, unchanged, validateLabelSelector } from './check.ts';
import { validatePodSpec } from './pod-spec.ts';

const mismatch = '`selector` does not match template `labels`';

/** @param restartPolicies that make sense for what the workload is */
function validateTemplate(
  template: Core.PodTemplateSpec | undefined,
  path: string,
  restartPolicies: readonly string[] = ['Always'],
): FieldError[] {
  if (!template) return [required(path)];
  const spec = template.spec ?? { containers: [] };
  const errors = [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
  ];
  if (spec.restartPolicy && !restartPolicies.includes(spec.restartPolicy)) {
    errors.push(notSupported(`${path}.spec.restartPolicy`, spec.restartPolicy, restartPolicies));
  }
  if (restartPolicies.length === 1 && spec.activeDeadlineSeconds !== undefined) {
    errors.push(
      forbidden(`${path}.spec.activeDeadlineSeconds`, 'activeDeadlineSeconds in ReplicaSet is not Supported'),
    );
  }
  return errors;
}

/** An empty selector would claim every Pod of the namespace. */
function validateSelector(
  selector: Meta.LabelSelector | undefined,
  template: Core.PodTemplateSpec | undefined,
  what: string,
): FieldError[] {
  if (!selector) return [required('spec.selector')];
  const errors = validateLabelSelector(selector, 'spec.selector');
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${what}`));
  } else if (template && !matchLabelSelector(selector, template.metadata?.labels)) {
    errors.push(invalid('spec.template.metadata.labels', template.metadata?.labels ?? {}, mismatch));
  }
  return errors;
}

const percent =
  "a valid percent string must be a numeric followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** A count or a share of the replicas; never more than all of them unless `beyondAll`. */
export function validateIntOrPercent(
  path: string,
  value: number | string | undefined,
  beyondAll = false,
): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return notNegative(path, value);
  if (!/^\d+%$/.test(value)) return [invalid(path, value, percent)];
  return !beyondAll && Number.parseInt(value, 10) > 100 ? [invalid(path, value, 'must not be greater than 100%')] : [];
}

const isZero = (value: number | string | undefined): boolean => value === undefined || /^0%?$/.test(String(value));

export function validateDeployment({ spec }: Deployment): FieldError[] {
  const template = spec.template as Core.PodTemplateSpec | undefined;
  const errors = [
    ...notNegative('spec.replicas', spec.replicas),
    ...validateSelector(spec.selector, template, 'deployment'),
    ...validateTemplate(template, 'spec.template'),
    ...validateDeploymentStrategy(spec.strategy ?? {}),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...notNegative('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds),
  ];
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
    errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  }
  return errors;
}

function validateDeploymentStrategy(strategy: NonNullable<Deployment['spec']['strategy']>): FieldError[] {
  const path = 'spec.strategy';
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    return rollingUpdate ? [forbidden(`${path}.rollingUpdate`, why)] : [];
  }
  if (type !== 'RollingUpdate') return [notSupported(path, strategy, ['Recreate', 'RollingUpdate'])];
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const at = `${path}.rollingUpdate`;
  const errors = [
    ...validateIntOrPercent(`${at}.maxUnavailable`, maxUnavailable),
    ...validateIntOrPercent(`${at}.maxSurge`, maxSurge, true),
  ];
  // With both at nothing no Pod could ever be replaced.
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(invalid(`${at}.maxUnavailable`, maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'));
  }
  return errors;
}

export const validateDeploymentUpdate = (deployment: Deployment, old: Deployment): FieldError[] => [
  ...validateDeployment(deployment),
  ...unchanged('spec.selector', deployment.spec.selector, old.spec.selector),
];

export function validateReplicaSet({ spec }: ReplicaSet): FieldError[] {
  return [
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateSelector(spec.selector, spec.template, 'deployment'),
    ...validateTemplate(spec.template, 'spec.template'),
  ];
}

export const validateReplicaSetUpdate = (replicaSet: ReplicaSet, old: ReplicaSet): FieldError[] => [
  ...validateReplicaSet(replicaSet),
  ...unchanged('spec.selector', replicaSet.spec.selector, old.spec.selector),
];

export function validateReplicationController({ spec }: ReplicationController): FieldError[] {
  const errors = [
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...(Object.keys(spec.selector ?? {}).length === 0 ? [required('spec.selector')] : []),
    ...notNegative('spec.replicas', spec.replicas),
  ];
  const labels = spec.template?.metadata?.labels;
  if (spec.template && Object.keys(spec.selector ?? {}).length > 0 && !matchLabelMap(spec.selector, labels)) {
    errors.push(invalid('spec.template.metadata.labels', labels ?? {}, mismatch));
  }
  return [...errors, ...validateTemplate(spec.template, 'spec.template')];
}

export function validateDaemonSet({ spec }: DaemonSet): FieldError[] {
  const template = spec.template as Core.PodTemplateSpec | undefined;
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  const path = 'spec.updateStrategy';
  const errors = [
    ...validateSelector(spec.selector, template, 'daemonset'),
    ...validateTemplate(template, 'spec.template'),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...requiredOneOf(path, type, ['OnDelete', 'RollingUpdate']),
    ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
  if (type !== 'RollingUpdate') return errors;
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const at = `${path}.rollingUpdate`;
  errors.push(...validateIntOrPercent(`${at}.maxUnavailable`, maxUnavailable));
  errors.push(...validateIntOrPercent(`${at}.maxSurge`, maxSurge));
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  } else if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    errors.push(invalid(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  }
  return errors;
}

export const validateDaemonSetUpdate = (daemonSet: DaemonSet, old: DaemonSet): FieldError[] => [
  ...validateDaemonSet(daemonSet),
  ...unchanged('spec.selector', daemonSet.spec.selector, old.spec.selector),
];

export function validateStatefulSet({ spec }: StatefulSet): FieldError[] {
  const template = spec.template as Core.PodTemplateSpec | undefined;
  const partition = spec.updateStrategy?.rollingUpdate?.partition;
  return [
    ...requiredOneOf('spec.podManagementPolicy', spec.podManagementPolicy, ['OrderedReady', 'Parallel']),
    ...requiredOneOf('spec.updateStrategy', spec.updateStrategy?.type, ['OnDelete', 'RollingUpdate']),
    ...notNegative('spec.updateStrategy.rollingUpdate.partition', partition),
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateSelector(spec.selector, template, 'statefulset'),
    ...validateTemplate(template, 'spec.template'),
  ];
}

const mutableStatefulSetFields = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function validateStatefulSetUpdate(statefulSet: StatefulSet, old: StatefulSet): FieldError[] {
  const rest = ({ spec }: StatefulSet) =>
    Object.fromEntries(
      Object.entries(spec).filter(([field]) => !(mutableStatefulSetFields as readonly string[]).includes(field)),
    );
  const errors = validateStatefulSet(statefulSet);
  if (!semanticEqual(rest(statefulSet), rest(old))) {
    const names = mutableStatefulSetFields.map((field) => `'${field}'`);
    const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
    errors.push(forbidden('spec', `updates to statefulset spec for fields other than ${list} are forbidden`));
  }
  return errors;
}

const onceOnly = ['Never', 'OnFailure'];

function validateJobSpec(spec: Job['spec'], path: string): FieldError[] {
  const template = spec.template as Core.PodTemplateSpec | undefined;
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
  ] as const;
  return [
    ...counts.flatMap((field) => notNegative(`${path}.${field}`, spec[field])),
    ...oneOf(`${path}.completionMode`, spec.completionMode, ['Indexed', 'NonIndexed']),
    ...(spec.completionMode === 'Indexed' && spec.completions === undefined
      ? [required(`${path}.completions`, 'when completion mode is Indexed')]
      : []),
    ...validateTemplate(template, `${path}.template`, onceOnly),
  ];
}

export function validateJob({ spec, metadata }: Job): FieldError[] {
  const errors = validateJobSpec(spec, 'spec');
  const template = spec.template as Core.PodTemplateSpec | undefined;
  if (!spec.selector) errors.unshift(required('spec.selector'));
  else if (template && !matchLabelSelector(spec.selector, template.metadata?.labels)) {
    errors.push(invalid('spec.template.metadata.labels', template.metadata?.labels ?? {}, mismatch));
  }
  // The Pods' names are the Job's with more behind, and also their host names.
  if (metadata.name.length > 63) errors.push(invalid('metadata.name', metadata.name, 'must be no more than 63 bytes'));
  return errors;
}

export function validateJobUpdate(job: Job, old: Job): FieldError[] {
  return [
    ...validateJobSpec(job.spec, 'spec'),
    ...unchanged('spec.completions', job.spec.completions, old.spec.completions),
    ...unchanged('spec.selector', job.spec.selector, old.spec.selector),
    ...unchanged('spec.completionMode', job.spec.completionMode, old.spec.completionMode),
    ...(semanticEqual(job.spec.template, old.spec.template)
      ? []
      : [invalid('spec.template', job.spec.template, 'field is immutable')]),
  ];
}

const maxCronJobName = 52;

export function validateCronJob({ spec, metadata }: CronJob): FieldError[] {
  const template = spec.jobTemplate as CronJob['spec']['jobTemplate'] | undefined;
  const errors = [
    ...mustFollow(
      (schedule) => (isCronSchedule(schedule) ? [] : ['must be five fields or one of the @ forms']),
      'spec.schedule',
      spec.schedule,
    ),
    ...requiredOneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...notNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...notNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...notNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
    ...(template?.spec ? validateJobSpec(template.spec, 'spec.jobTemplate.spec') : [required('spec.jobTemplate')]),
  ];
  if (metadata.name.length > maxCronJobName) {
    errors.push(invalid('metadata.name', metadata.name, `must be no more than ${maxCronJobName} characters`));
  }
  return errors;
}
