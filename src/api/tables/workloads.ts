/** Deployments to CronJobs (features 8-036 to 8-040). */
import { humanDuration } from '../../lib/text.ts';
import { formatLabelSelector } from '../selectors.ts';
import type {
  ControllerRevision,
  Core,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { age, containerImages, containerNames, labelsCell, orNone, since } from './cells.ts';
import { definePrinter } from './printer.ts';

/** Stored objects have them; a table never fails for one that has not. */
const templateOf = (spec: { template?: Core.PodTemplateSpec }) => spec.template;
const jobOf = (spec: { jobTemplate?: CronJob['spec']['jobTemplate'] }) => spec.jobTemplate?.spec;

export const deploymentPrinter = definePrinter<Deployment>([
  ['Ready', 'string', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`],
  ['Up-to-date', 'integer', ({ status }) => status?.updatedReplicas ?? 0],
  ['Available', 'integer', ({ status }) => status?.availableReplicas ?? 0],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
  ['Selector*', 'string', ({ spec }) => orNone(formatLabelSelector(spec.selector))],
]);

export const replicaSetPrinter = definePrinter<ReplicaSet>([
  ['Desired', 'integer', ({ spec }) => spec.replicas ?? 1],
  ['Current', 'integer', ({ status }) => status?.replicas ?? 0],
  ['Ready', 'integer', ({ status }) => status?.readyReplicas ?? 0],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
  ['Selector*', 'string', ({ spec }) => orNone(formatLabelSelector(spec.selector))],
]);

export const replicationControllerPrinter = definePrinter<ReplicationController>([
  ['Desired', 'integer', ({ spec }) => spec.replicas ?? 1],
  ['Current', 'integer', ({ status }) => status?.replicas ?? 0],
  ['Ready', 'integer', ({ status }) => status?.readyReplicas ?? 0],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
  ['Selector*', 'string', ({ spec }) => labelsCell(spec.selector)],
]);

export const statefulSetPrinter = definePrinter<StatefulSet>([
  ['Ready', 'string', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
]);

export const daemonSetPrinter = definePrinter<DaemonSet>([
  ['Desired', 'integer', ({ status }) => status?.desiredNumberScheduled ?? 0],
  ['Current', 'integer', ({ status }) => status?.currentNumberScheduled ?? 0],
  ['Ready', 'integer', ({ status }) => status?.numberReady ?? 0],
  ['Up-to-date', 'integer', ({ status }) => status?.updatedNumberScheduled ?? 0],
  ['Available', 'integer', ({ status }) => status?.numberAvailable ?? 0],
  ['Node Selector', 'string', ({ spec }) => labelsCell(templateOf(spec)?.spec?.nodeSelector)],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
  ['Selector*', 'string', ({ spec }) => orNone(formatLabelSelector(spec.selector))],
]);

export const jobPrinter = definePrinter<Job>([
  ['Status', 'string', jobStatus],
  ['Completions', 'string', completions],
  ['Duration', 'string', duration],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(spec.template)],
  ['Images*', 'string', ({ spec }) => containerImages(spec.template)],
  ['Selector*', 'string', ({ spec }) => orNone(formatLabelSelector(spec.selector))],
]);

function jobStatus({ status, metadata }: Job): string {
  const has = (type: string) => status?.conditions?.some((each) => each.type === type && each.status === 'True');
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  if (has('FailureTarget')) return 'FailureTarget';
  return has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallel = spec.parallelism ?? 1;
  return parallel > 1 ? `${succeeded}/1 of ${parallel}` : `${succeeded}/1`;
}

function duration({ status }: Job, now: number): string {
  if (!status?.startTime) return '';
  const start = Date.parse(status.startTime);
  return humanDuration((status.completionTime ? Date.parse(status.completionTime) : now) - start);
}

export const cronJobPrinter = definePrinter<CronJob>([
  ['Schedule', 'string', ({ spec }) => spec.schedule],
  ['Timezone', 'string', ({ spec }) => orNone(spec.timeZone)],
  ['Suspend', 'boolean', ({ spec }) => (spec.suspend ? 'True' : 'False')],
  ['Active', 'integer', ({ status }) => (status?.active ?? []).length],
  [
    'Last Schedule',
    'string',
    ({ status }, now) => (status?.lastScheduleTime ? since(status.lastScheduleTime, now) : '<none>'),
  ],
  ['Age', 'string', age],
  ['Containers*', 'string', ({ spec }) => containerNames(jobOf(spec)?.template)],
  ['Images*', 'string', ({ spec }) => containerImages(jobOf(spec)?.template)],
  ['Selector*', 'string', ({ spec }) => orNone(formatLabelSelector(jobOf(spec)?.selector))],
]);

export const controllerRevisionPrinter = definePrinter<ControllerRevision>([
  [
    'Controller',
    'string',
    ({ metadata }) => {
      const owner = metadata.ownerReferences?.find((each) => each.controller);
      if (!owner) return '<none>';
      const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0] ?? ''}` : '';
      return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
    },
  ],
  ['Revision', 'integer', ({ revision }) => revision],
  ['Age', 'string', age],
]);

export const podDisruptionBudgetPrinter = definePrinter<PodDisruptionBudget>([
  ['Min Available', 'string', ({ spec }) => String(spec?.minAvailable ?? 'N/A')],
  ['Max Unavailable', 'string', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')],
  ['Allowed Disruptions', 'integer', ({ status }) => status?.disruptionsAllowed ?? 0],
  ['Age', 'string', age],
]);
