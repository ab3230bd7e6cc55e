/** Namespaces, Nodes, configuration, Leases, Events, RBAC, volumes. */
import { defaultLimitRange } from '../defaults/limit-range.ts';
import { defineStrategy } from '../define-strategy.ts';
import { forbidden, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import { dns1123Label, pathSegmentName } from '../names.ts';
import type { Core, KubeObject, Namespace, Node, Secret } from '../types.ts';
import * as cluster from '../validation/cluster.ts';
import * as config from '../validation/config.ts';
import * as rbac from '../validation/rbac.ts';
import * as limits from '../validation/limit-range.ts';
import * as quotas from '../validation/resource-quota.ts';
import { validateFinalizers } from '../meta.ts';

/** What the namespace is called, as a label that selectors can use (feature 8-088). */
const namespaceNameLabel = 'kubernetes.io/metadata.name';

export const namespaceStrategy = defineStrategy(K.NAMESPACES, {
  nameRule: dns1123Label,
  applyDefaults(namespace) {
    if (!namespace.metadata.name) return;
    namespace.metadata.labels = { ...namespace.metadata.labels, [namespaceNameLabel]: namespace.metadata.name };
  },
  initialStatus: () => ({ phase: 'Active' }),
  prepareForCreate(namespace) {
    const finalizers = namespace.spec?.finalizers ?? [];
    // It keeps the namespace until its content is gone (8-083).
    namespace.spec = { finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] };
  },
  prepareForUpdate(namespace, old) {
    // Only /finalize changes them.
    namespace.spec = structuredClone(old.spec ?? {});
  },
  validate: ({ spec }: Namespace) => validateFinalizers(spec?.finalizers ?? [], 'spec.finalizers'),
  validateStatusUpdate: validateNamespacePhase,
});

function validateNamespacePhase(namespace: Namespace): FieldError[] {
  const phase = namespace.status?.phase;
  const deleting = namespace.metadata.deletionTimestamp !== undefined;
  if (deleting && phase !== 'Terminating') {
    return [forbidden('status.phase', "may only be 'Terminating' if `deletionTimestamp` is not empty")];
  }
  if (!deleting && phase === 'Terminating') {
    return [forbidden('status.phase', "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  return [];
}

export const nodeStrategy = defineStrategy(K.NODES, {
  applyDefaults(node) {
    node.spec ??= {};
    if (node.spec.podCIDR && (node.spec.podCIDRs ?? []).length === 0) node.spec.podCIDRs = [node.spec.podCIDR];
    if (node.status?.capacity) node.status.allocatable ??= { ...node.status.capacity };
  },
  // A kubelet registers its node and reports on it in one request.
  initialStatus: (node: Node) => node.status ?? {},
  validate: cluster.validateNode,
  validateUpdate: cluster.validateNodeUpdate,
});

export const configMapStrategy = defineStrategy(K.CONFIG_MAPS, {
  validate: config.validateConfigMap,
  validateUpdate: config.validateConfigMapUpdate,
});

/** `stringData` is for writing only: it becomes `data`, in base64. */
function mergeStringData(secret: Secret): void {
  secret.type ||= 'Opaque';
  const { stringData } = secret;
  if (!stringData) return;
  secret.data = {
    ...secret.data,
    ...Object.fromEntries(
      Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  };
  delete secret.stringData;
}

export const secretStrategy = defineStrategy(K.SECRETS, {
  applyDefaults: mergeStringData,
  validate: config.validateSecret,
  validateUpdate: config.validateSecretUpdate,
});

export const leaseStrategy = defineStrategy(K.LEASES, { validate: cluster.validateLease, allowCreateOnUpdate: true });

export const eventStrategy = defineStrategy(K.EVENTS, { validate: cluster.validateEvent, allowCreateOnUpdate: true });
export const eventV1Strategy = defineStrategy(K.EVENTS_V1, { allowCreateOnUpdate: true });

export const podDisruptionBudgetStrategy = defineStrategy(K.POD_DISRUPTION_BUDGETS, {
  keepsGeneration: true,
  initialStatus: () => ({ disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
  validate: cluster.validatePodDisruptionBudget,
});

export const limitRangeStrategy = defineStrategy(K.LIMIT_RANGES, {
  applyDefaults: defaultLimitRange,
  validate: limits.validateLimitRange,
  allowCreateOnUpdate: true,
});

export const resourceQuotaStrategy = defineStrategy(K.RESOURCE_QUOTAS, {
  initialStatus: () => ({}),
  validate: quotas.validateResourceQuota,
  validateUpdate: quotas.validateResourceQuotaUpdate,
  validateStatusUpdate: quotas.validateResourceQuotaStatus,
});

type Row<T extends KubeObject> = K.Kind<T>;

const role = (kind: K.Kind) =>
  defineStrategy(kind as Row<rbac.RoleLike>, {
    nameRule: pathSegmentName,
    validate: rbac.validateRole(kind.namespaced),
    allowCreateOnUpdate: true,
  });
export const roleStrategy = role(K.ROLES);
export const clusterRoleStrategy = role(K.CLUSTER_ROLES);

const binding = (kind: K.Kind) =>
  defineStrategy(kind as Row<rbac.BindingLike>, {
    nameRule: pathSegmentName,
    applyDefaults({ roleRef, subjects }) {
      if (roleRef) roleRef.apiGroup ||= rbac.RBAC_GROUP;
      for (const subject of subjects ?? []) {
        if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbac.RBAC_GROUP;
      }
    },
    validate: rbac.validateBinding(kind.namespaced),
    validateUpdate: rbac.validateBindingUpdate(kind.namespaced),
    allowCreateOnUpdate: true,
  });
export const roleBindingStrategy = binding(K.ROLE_BINDINGS);
export const clusterRoleBindingStrategy = binding(K.CLUSTER_ROLE_BINDINGS);

type Volume = KubeObject & { spec?: Core.PersistentVolumeSpec };
type Claim = KubeObject & { spec?: Core.PersistentVolumeClaimSpec };

export const persistentVolumeStrategy = defineStrategy(K.PERSISTENT_VOLUMES as Row<Volume>, {
  applyDefaults({ spec }) {
    if (!spec) return;
    spec.persistentVolumeReclaimPolicy ||= 'Retain';
    spec.volumeMode ||= 'Filesystem';
  },
  initialStatus: () => ({ phase: 'Pending' }),
});

export const persistentVolumeClaimStrategy = defineStrategy(K.PERSISTENT_VOLUME_CLAIMS as Row<Claim>, {
  applyDefaults({ spec }) {
    if (spec) spec.volumeMode ||= 'Filesystem';
  },
  initialStatus: () => ({ phase: 'Pending' }),
});
