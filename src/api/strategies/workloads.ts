/** The kinds that make Pods from a template. All keep a generation, which `kubectl rollout status` waits on (8-107). */
import { semanticEqual } from '../deep-equal.ts';
import { defineStrategy } from '../define-strategy.ts';
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from '../defaults/workloads.ts';
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  REPLICATION_CONTROLLERS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from '../kinds.ts';
import type { DaemonSet, Job } from '../types.ts';
import * as validation from '../validation/workloads.ts';

export const deploymentStrategy = defineStrategy(DEPLOYMENTS, {
  applyDefaults: defaultDeployment,
  validate: validation.validateDeployment,
  validateUpdate: validation.validateDeploymentUpdate,
  keepsGeneration: true,
  initialStatus: () => ({}),
});

export const replicaSetStrategy = defineStrategy(REPLICA_SETS, {
  applyDefaults: defaultReplicaSet,
  validate: validation.validateReplicaSet,
  validateUpdate: validation.validateReplicaSetUpdate,
  keepsGeneration: true,
  initialStatus: () => ({ replicas: 0 }),
});

export const replicationControllerStrategy = defineStrategy(REPLICATION_CONTROLLERS, {
  applyDefaults: defaultReplicationController,
  validate: validation.validateReplicationController,
  keepsGeneration: true,
  initialStatus: () => ({ replicas: 0 }),
});

/** How often the template changed: a field of extensions/v1beta1, which later versions keep as an annotation. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

function setTemplateGeneration({ metadata }: DaemonSet, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [TEMPLATE_GENERATION]: String(generation) };
}

export const daemonSetStrategy = defineStrategy(DAEMON_SETS, {
  prepareForCreate(daemonSet) {
    const given = Number(daemonSet.metadata.annotations?.[TEMPLATE_GENERATION]);
    setTemplateGeneration(daemonSet, Number.isSafeInteger(given) && given > 0 ? given : 1);
  },
  prepareForUpdate(daemonSet, old) {
    const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
    const changed = !semanticEqual(daemonSet.spec.template, old.spec.template);
    if (before > 0 || changed) setTemplateGeneration(daemonSet, before + Number(changed));
  },
  applyDefaults: defaultDaemonSet,
  validate: validation.validateDaemonSet,
  validateUpdate: validation.validateDaemonSetUpdate,
  keepsGeneration: true,
  initialStatus: () => ({
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  }),
});

export const statefulSetStrategy = defineStrategy(STATEFUL_SETS, {
  applyDefaults: defaultStatefulSet,
  validate: validation.validateStatefulSet,
  validateUpdate: validation.validateStatefulSetUpdate,
  keepsGeneration: true,
  initialStatus: () => ({ replicas: 0, availableReplicas: 0 }),
});

export const jobStrategy = defineStrategy(JOBS, {
  applyDefaults: defaultJob,
  validate: validation.validateJob,
  validateUpdate: validation.validateJobUpdate,
  keepsGeneration: true,
  initialStatus: () => ({}),
  prepareForCreate: selectOwnPods,
});

export const cronJobStrategy = defineStrategy(CRON_JOBS, {
  applyDefaults: defaultCronJob,
  validate: validation.validateCronJob,
  keepsGeneration: true,
  initialStatus: () => ({}),
});

/** A Job's Pods carry its uid, so that two Jobs of the same name never share any. Needs `metadata.uid`. */
function selectOwnPods({ spec, metadata }: Job): void {
  if (spec.manualSelector || !(spec as { template?: unknown }).template) return;
  const uid = metadata.uid ?? '';
  spec.template.metadata ??= {};
  spec.template.metadata.labels = {
    ...spec.template.metadata.labels,
    'controller-uid': uid,
    'job-name': metadata.name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': metadata.name,
  };
  spec.selector ??= {};
  spec.selector.matchLabels = { ...spec.selector.matchLabels, 'batch.kubernetes.io/controller-uid': uid };
}
