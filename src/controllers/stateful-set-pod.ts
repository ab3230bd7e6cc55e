/** The pods of a StatefulSet and their names, which outlive them: web-0, web-1, … Pure. */
import { STATEFUL_SETS } from '../api/kinds.ts';
import type { Core, KubeObject, Pod, StatefulSet } from '../api/types.ts';
import { controllerReference, podFromTemplate } from './pod-template.ts';
import { REVISION_LABEL } from './revision.ts';

export const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** The number of a pod that belongs to this set by its name, or undefined. */
export function ordinalOf({ metadata }: StatefulSet, pod: KubeObject): number | undefined {
  const prefix = `${metadata.name}-`;
  if (!pod.metadata.name.startsWith(prefix)) return undefined;
  const text = pod.metadata.name.slice(prefix.length);
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}

/** Ordinals that should exist, lowest first. */
export function ordinalsOf({ spec }: StatefulSet): number[] {
  const start = spec.ordinals?.start ?? 0;
  return Array.from({ length: spec.replicas ?? 1 }, (_, at) => start + at);
}

export function statefulPod(
  set: StatefulSet,
  ordinal: number,
  template: Core.PodTemplateSpec,
  revisionHash: string,
): Pod {
  const pod = podFromTemplate(template, STATEFUL_SETS, set);
  const name = `${set.metadata.name}-${String(ordinal)}`;
  const { generateName: _, ...metadata } = pod.metadata;
  const claims = (set.spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata?.name ?? '',
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) },
  }));
  const others = (pod.spec.volumes ?? []).filter((volume) => !claims.some((claim) => claim.name === volume.name));
  const volumes = [...others, ...claims];
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: {
        ...metadata.labels,
        [REVISION_LABEL]: revisionHash,
        [POD_NAME_LABEL]: name,
        [POD_INDEX_LABEL]: String(ordinal),
      },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...(set.spec.serviceName && { subdomain: set.spec.serviceName }),
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

const claimName = (set: StatefulSet, claim: Core.PersistentVolumeClaim, ordinal: number): string =>
  `${claim.metadata?.name ?? ''}-${set.metadata.name}-${String(ordinal)}`;

/** The claims one ordinal needs. They are kept when the pod goes, unless the set's policy ties them to the set. */
export function claimsOf(set: StatefulSet, ordinal: number): (KubeObject & Core.PersistentVolumeClaim)[] {
  const owned = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
  return (set.spec.volumeClaimTemplates ?? []).map((template) => ({
    ...structuredClone(template),
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name: claimName(set, template, ordinal),
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      labels: { ...template.metadata?.labels, ...set.spec.selector.matchLabels },
      ...(owned && { ownerReferences: [controllerReference(STATEFUL_SETS, set)] }),
    },
  }));
}
