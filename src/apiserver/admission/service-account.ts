/**
 * Gives every Pod a service account, and the token of it as a projected volume in each container, as the ServiceAccount admission
 * of Kubernetes does. Containers that mount something there themselves are left alone.
 */
import { forbiddenRequest } from '../../api/api-error.ts';
import { generateName } from '../../api/meta.ts';
import { PODS, SERVICE_ACCOUNTS, type Kind } from '../../api/kinds.ts';
import type { Core as CoreTypes, KubeObject, Pod, ServiceAccount } from '../../api/types.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
/** Seconds; a little over an hour, so that a renewal at 80 % never meets an expired token. */
const TOKEN_SECONDS = 3607;
/** Static Pods mirrored by a kubelet have no service account. */
const MIRROR = 'kubernetes.io/config.mirror';

export function admitPod(core: Core, kind: Kind, object: KubeObject): void {
  if (kind !== PODS) return;
  const pod = object as Pod;
  // Decoded JSON may lack a spec; validation will say so.
  const spec = (pod as Partial<Pod>).spec;
  if (!spec || pod.metadata.annotations?.[MIRROR] !== undefined) return;
  spec.serviceAccountName ||= spec.serviceAccount ?? 'default';
  spec.serviceAccount = spec.serviceAccountName;
  const key = keyOf(SERVICE_ACCOUNTS, pod.metadata.namespace, spec.serviceAccountName);
  const account = core.cache.of(SERVICE_ACCOUNTS).get(key)?.object as ServiceAccount | undefined;
  // The default account of a new namespace follows within milliseconds; refusing Pods meanwhile would only make scripts flaky.
  if (!account && spec.serviceAccountName !== 'default') {
    const name = JSON.stringify(spec.serviceAccountName);
    throw forbiddenRequest(
      PODS,
      pod.metadata.name,
      `error looking up service account ${pod.metadata.namespace ?? ''}/${spec.serviceAccountName}: serviceaccount ${name} not found`,
    );
  }
  if (!spec.imagePullSecrets?.length && account?.imagePullSecrets?.length) {
    spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
  }
  const wanted = spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true;
  if (wanted) mountToken(core, spec);
}

function mountToken(core: Core, spec: CoreTypes.PodSpec): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const bare = containers.filter((each) => !each.volumeMounts?.some((mount) => mount.mountPath === MOUNT_PATH));
  if (bare.length === 0) return;
  const present = spec.volumes?.find((volume) => volume.name.startsWith(VOLUME_PREFIX));
  const name = present?.name ?? generateName(VOLUME_PREFIX, (below) => core.random(below));
  if (!present) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
  for (const container of bare) {
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: MOUNT_PATH }];
  }
}

function tokenVolume(name: string): CoreTypes.Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 420,
    },
  };
}
