/** The names of what a Pod needs from its namespace: what its node may therefore read. Pure. */
import type { Core, KubeObject, Pod } from '../../api/types.ts';

export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
}

export function podReferences({ metadata, spec }: Pod): PodReferences {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const claims = new Set<string>();
  const add = (to: Set<string>, name: string | undefined) => {
    if (name !== undefined && name !== '') to.add(name);
  };
  for (const { name } of spec.imagePullSecrets ?? []) add(secrets, name);
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
  for (const { env, envFrom } of containers) {
    for (const { valueFrom } of env ?? []) {
      add(secrets, valueFrom?.secretKeyRef?.name);
      add(configMaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const { secretRef, configMapRef } of envFrom ?? []) {
      add(secrets, secretRef?.name);
      add(configMaps, configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    for (const secret of volumeSecrets(volume)) add(secrets, secret);
    add(configMaps, volume.configMap?.name);
    add(claims, volume.persistentVolumeClaim?.claimName);
    // The claim of an ephemeral volume is named after Pod and volume.
    if (volume.ephemeral) add(claims, `${metadata.name}-${volume.name}`);
    for (const source of volume.projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configMaps, source.configMap?.name);
    }
  }
  return { secrets, configMaps, claims };
}

/** A volume of whatever type names its secret in one of these ways. */
function volumeSecrets(volume: Core.Volume): (string | undefined)[] {
  return [
    volume.secret?.secretName,
    volume.azureFile?.secretName,
    volume.csi?.nodePublishSecretRef?.name,
    ...[volume.cephfs, volume.rbd, volume.flexVolume, volume.scaleIO, volume.iscsi, volume.storageos].map(
      (source) => source?.secretRef?.name,
    ),
  ];
}

/** What the source of a PersistentVolume names: `csi.nodePublishSecretRef` and its like. */
export function volumeSecretNames({ spec }: KubeObject & { spec?: object }): { namespace: string; name: string }[] {
  return Object.values(spec ?? {}).flatMap((source: unknown) => {
    if (typeof source !== 'object' || source === null) return [];
    return Object.entries(source).flatMap(([field, value]: [string, unknown]) => {
      if (!/secretRef$/i.test(field) || typeof value !== 'object' || value === null) return [];
      const { namespace, name } = value as { namespace?: unknown; name?: unknown };
      return typeof namespace === 'string' && typeof name === 'string' ? [{ namespace, name }] : [];
    });
  });
}
