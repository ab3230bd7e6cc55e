/** autoscaling/v1 Scale of Deployments, ReplicaSets, StatefulSets and ReplicationControllers (feature 8-085). */
import { internalError, invalidObject } from '../../api/api-error.ts';
import { setAt, valueAt } from '../../api/custom/json-path.ts';
import { invalid } from '../../api/field-error.ts';
import { apiVersionOf, REPLICATION_CONTROLLERS, type CustomBehaviour, type Kind } from '../../api/kinds.ts';
import { formatLabels, formatLabelSelector } from '../../api/selectors.ts';
import type { KubeObject, Meta } from '../../api/types.ts';

export const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;

export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

type ScalePaths = NonNullable<CustomBehaviour['scale']>;

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector?: Meta.LabelSelector | Record<string, string> };
  status?: { replicas?: number };
}

export function scaleOf(kind: Kind, object: KubeObject): Scale {
  const { metadata, spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const paths = kind.custom?.scale;
  const { specReplicas, statusReplicas, selector } = paths
    ? customNumbers(object, paths)
    : numbersOf(kind, { spec, status });
  return {
    kind: SCALE.kind,
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: { replicas: specReplicas },
    status: { replicas: statusReplicas, ...(selector !== '' && { selector }) },
  };
}

interface Numbers {
  readonly specReplicas: number;
  readonly statusReplicas: number;
  /** '' where there is none. */
  readonly selector: string;
}

function numbersOf(kind: Kind, { spec, status }: Pick<Scalable, 'spec' | 'status'>): Numbers {
  const selector =
    kind === REPLICATION_CONTROLLERS
      ? formatLabels(spec?.selector as Record<string, string> | undefined)
      : formatLabelSelector(spec?.selector);
  return { specReplicas: spec?.replicas ?? 0, statusReplicas: status?.replicas ?? 0, selector };
}

/** Throws InternalError where the object does not say how many it wants. */
function customNumbers(object: KubeObject, paths: ScalePaths): Numbers {
  const wanted = valueAt(object, paths.specReplicas);
  if (typeof wanted !== 'number') {
    throw internalError(`the spec replicas field ".${paths.specReplicas.join('.')}" does not exist`);
  }
  const present = valueAt(object, paths.statusReplicas);
  const selector = paths.labelSelector && valueAt(object, paths.labelSelector);
  return {
    specReplicas: wanted,
    statusReplicas: typeof present === 'number' ? present : 0,
    selector: typeof selector === 'string' ? selector : '',
  };
}

/** An applied Scale as a configuration of the object it scales. */
export function scaleConfig(kind: Kind, scale: Scale): Record<string, unknown> {
  const { name, uid, resourceVersion } = scale.metadata;
  const metadata = { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  const config: Record<string, unknown> = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
  const replicas = scale.spec?.replicas;
  checkReplicas(name, replicas);
  if (replicas !== undefined) setAt(config, kind.custom?.scale?.specReplicas ?? ['spec', 'replicas'], replicas);
  return config;
}

function checkReplicas(name: string, replicas = 0): void {
  if (replicas >= 0) return;
  throw invalidObject(scaleKind, name, [invalid('spec.replicas', replicas, 'must be greater than or equal to 0')]);
}

/** Throws Invalid for a negative number. `object` is changed. */
export function applyScale(kind: Kind, object: KubeObject, scale: Scale): KubeObject {
  const replicas = scale.spec?.replicas ?? 0;
  checkReplicas(object.metadata.name, replicas);
  const paths = kind.custom?.scale;
  if (paths) setAt(object as unknown as Record<string, unknown>, paths.specReplicas, replicas);
  else {
    const scalable = object as Scalable;
    scalable.spec = { ...scalable.spec, replicas };
  }
  const { resourceVersion, uid } = scale.metadata;
  if (resourceVersion) object.metadata.resourceVersion = resourceVersion;
  if (uid) object.metadata.uid = uid;
  return object;
}

const scaleKind: Kind = {
  ...SCALE,
  plural: 'scales',
  singular: 'scale',
  shortNames: [],
  namespaced: true,
  categories: [],
  subresources: [],
};
