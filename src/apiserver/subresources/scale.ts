/** autoscaling/v1 Scale of Deployments, ReplicaSets, StatefulSets and ReplicationControllers (feature 8-085). */
import { invalidObject } from '../../api/api-error.ts';
import { invalid } from '../../api/field-error.ts';
import { REPLICATION_CONTROLLERS, type Kind } from '../../api/kinds.ts';
import { formatLabels, formatLabelSelector } from '../../api/selectors.ts';
import type { KubeObject, Meta } from '../../api/types.ts';

export const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;

export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector?: Meta.LabelSelector | Record<string, string> };
  status?: { replicas?: number };
}

export function scaleOf(kind: Kind, object: KubeObject): Scale {
  const { metadata, spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const selector =
    kind === REPLICATION_CONTROLLERS
      ? formatLabels(spec?.selector as Record<string, string> | undefined)
      : formatLabelSelector(spec?.selector);
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
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, ...(selector !== '' && { selector }) },
  };
}

/** Throws Invalid for a negative number. `object` is changed. */
export function applyScale(object: KubeObject, scale: Scale): KubeObject {
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0) {
    throw invalidObject({ ...scaleKind }, object.metadata.name, [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const scalable = object as Scalable;
  scalable.spec = { ...scalable.spec, replicas };
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
