/** The kinds of storage.k8s.io. Nothing here makes or attaches volumes; drivers and their charts find the objects they need. */
import { defineStrategy } from '../define-strategy.ts';
import { invalid, required, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import { qualifiedName } from '../names.ts';
import type { KubeObject, StorageClass } from '../types.ts';
import { mustExist, mustFollow, oneOf, requiredOneOf, unchanged } from '../validation/check.ts';

const reclaimPolicies = ['Delete', 'Retain'];
const bindingModes = ['Immediate', 'WaitForFirstConsumer'];
const maxParameters = 512;

function validateStorageClass({
  provisioner,
  parameters,
  reclaimPolicy,
  volumeBindingMode,
}: StorageClass): FieldError[] {
  const errors = mustFollow((text) => qualifiedName(text.toLowerCase()), 'provisioner', provisioner);
  if (Object.keys(parameters ?? {}).length > maxParameters) {
    errors.push({
      type: 'TooLong',
      field: 'parameters',
      detail: `may not be more than ${String(maxParameters)} bytes`,
    });
  }
  for (const key of Object.keys(parameters ?? {})) {
    if (key === '') errors.push(invalid('parameters', key, 'field can not be empty.'));
  }
  return [
    ...errors,
    ...oneOf('reclaimPolicy', reclaimPolicy, reclaimPolicies),
    ...requiredOneOf('volumeBindingMode', volumeBindingMode, bindingModes),
  ];
}

export const storageClassStrategy = defineStrategy(K.STORAGE_CLASSES, {
  applyDefaults(storageClass) {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
  validate: validateStorageClass,
  validateUpdate: (now, old) => [
    ...validateStorageClass(now),
    ...(['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const).flatMap((field) =>
      unchanged(field, now[field], old[field]),
    ),
  ],
  allowCreateOnUpdate: true,
});

export const csiDriverStrategy = defineStrategy(K.CSI_DRIVERS, {
  keepsGeneration: true,
  applyDefaults(driver) {
    // What was decoded may lack a spec, whatever the type says.
    const spec = driver.spec as typeof driver.spec | undefined;
    if (!spec) return;
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
  },
  validate: ({ spec: given }) => {
    const spec = given as typeof given | undefined;
    if (!spec) return [required('spec')];
    return [
      ...oneOf('spec.fsGroupPolicy', spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
      ...(spec.volumeLifecycleModes ?? []).flatMap((mode, index) =>
        oneOf(`spec.volumeLifecycleModes[${index}]`, mode, ['Ephemeral', 'Persistent']),
      ),
    ];
  },
});

export const csiNodeStrategy = defineStrategy(K.CSI_NODES, {
  validate: ({ spec }) =>
    ((spec as typeof spec | undefined)?.drivers ?? []).flatMap(({ name, nodeID }, index) => [
      ...mustExist(`spec.drivers[${index}].name`, name),
      ...mustExist(`spec.drivers[${index}].nodeID`, nodeID),
    ]),
});

export const csiStorageCapacityStrategy = defineStrategy(K.CSI_STORAGE_CAPACITIES, {
  validate: ({ storageClassName }) => mustFollow(() => [], 'storageClassName', storageClassName),
  validateUpdate: (now, old) => [
    ...unchanged('nodeTopology', now.nodeTopology, old.nodeTopology),
    ...unchanged('storageClassName', now.storageClassName, old.storageClassName),
  ],
});

type Attachment = KubeObject & { spec?: { attacher?: string; nodeName?: string; source?: object } };

export const volumeAttachmentStrategy = defineStrategy(K.VOLUME_ATTACHMENTS as K.Kind<Attachment>, {
  validate: ({ spec }) => [
    ...mustExist('spec.attacher', spec?.attacher),
    ...mustExist('spec.source', Object.keys(spec?.source ?? {})[0]),
    ...mustExist('spec.nodeName', spec?.nodeName),
  ],
  validateUpdate: (now, old) => unchanged('spec', now.spec, old.spec),
});

export const volumeAttributesClassStrategy = defineStrategy(K.VOLUME_ATTRIBUTES_CLASSES, {
  validate: ({ driverName, parameters }) => [
    ...mustExist('driverName', driverName),
    ...(Object.keys(parameters ?? {}).length === 0
      ? [required('parameters', 'must contain at least one key/value pair')]
      : []),
  ],
  validateUpdate: (now, old) => [
    ...unchanged('driverName', now.driverName, old.driverName),
    ...unchanged('parameters', now.parameters, old.parameters),
  ],
});
