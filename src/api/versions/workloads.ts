/**
 * The first versions of Deployments, ReplicaSets, DaemonSets and StatefulSets: a selector and labels left out are the template's, a
 * selector may change, and other things are filled in. apps/v1beta2 differs in nothing from v1.
 */
import type { FieldError } from '../field-error.ts';
import type { KubeObject, Meta } from '../types.ts';
import type { Conversion } from './conversion.ts';

interface Spec {
  selector?: Meta.LabelSelector;
  template?: { metadata?: { labels?: Record<string, string> } };
  strategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string; maxSurge?: number | string } };
  updateStrategy?: { type?: string };
  progressDeadlineSeconds?: number;
  revisionHistoryLimit?: number;
}
type Workload = KubeObject & { spec?: Spec };

function fillFromTemplate({ metadata, spec }: Workload): void {
  const labels = spec?.template?.metadata?.labels;
  if (!spec || !labels) return;
  spec.selector ??= { matchLabels: { ...labels } };
  if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
}

const selectorMayChange = (error: FieldError): FieldError | undefined =>
  error.field === 'spec.selector' && error.detail === 'field is immutable' ? undefined : error;

const same = (object: KubeObject): KubeObject => object;

function workload(
  fill?: (spec: Spec) => void,
  convert: Pick<Conversion, 'toVersion' | 'fromVersion'> = unchanged,
): Conversion {
  return {
    ...convert,
    applyDefaults(object) {
      const { spec } = object as Workload;
      fillFromTemplate(object);
      if (spec) fill?.(spec);
    },
    errorIn: selectorMayChange,
  };
}
const unchanged = { toVersion: same, fromVersion: same };

/** A field of `spec` that later versions only keep as an annotation. */
function annotated(
  annotation: string,
  read: (spec: Record<string, unknown>) => number | undefined,
  field: string,
  write: (value: number) => unknown,
): Pick<Conversion, 'toVersion' | 'fromVersion'> {
  type Annotated = KubeObject & { spec?: Record<string, unknown> };
  return {
    toVersion(stored) {
      const { metadata, spec } = stored as Annotated;
      const { [annotation]: text, ...annotations } = metadata.annotations ?? {};
      if (text === undefined || !/^(0|[1-9]\d{0,14})$/.test(text)) return stored;
      const { annotations: _annotations, ...rest } = metadata;
      const meta = { ...rest, ...(Object.keys(annotations).length > 0 && { annotations }) };
      return { ...stored, metadata: meta, spec: { ...spec, [field]: write(Number(text)) } } as KubeObject;
    },
    fromVersion(object) {
      const { metadata, spec } = object as Annotated;
      if (spec?.[field] === undefined) return object;
      const { [field]: _field, ...rest } = spec;
      const annotations = { ...metadata.annotations, [annotation]: String(read(spec) ?? 0) };
      return { ...object, metadata: { ...metadata, annotations }, spec: rest } as KubeObject;
    },
  };
}

const rollback = annotated(
  'deprecated.deployment.rollback.to',
  ({ rollbackTo }) => (rollbackTo as { revision?: number }).revision,
  'rollbackTo',
  (revision) => ({ revision }),
);
const generation = annotated(
  'deprecated.daemonset.template.generation',
  ({ templateGeneration }) => templateGeneration as number,
  'templateGeneration',
  (number) => number,
);

/** What stands for "no limit". */
const MAX_INT32 = 2 ** 31 - 1;

export const deploymentV1beta1 = workload((spec) => {
  spec.revisionHistoryLimit ??= 2;
}, rollback);

export const deploymentExtensions = workload((spec) => {
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= 1;
    spec.strategy.rollingUpdate.maxSurge ??= 1;
  }
  spec.progressDeadlineSeconds ??= MAX_INT32;
  spec.revisionHistoryLimit ??= MAX_INT32;
}, rollback);

export const replicaSetExtensions = workload();

const updatedByHand = (spec: Spec): void => {
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'OnDelete';
};
export const daemonSetExtensions = workload(updatedByHand, generation);
export const statefulSetV1beta1 = workload(updatedByHand);
