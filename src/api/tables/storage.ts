/** The kinds of storage.k8s.io. */
import type * as T from '../types.ts';
import { age, orNone } from './cells.ts';
import { definePrinter } from './printer.ts';

const isDefault = ({ metadata }: T.StorageClass): boolean =>
  ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (name) => metadata.annotations?.[name] === 'true',
  );

export const storageClassPrinter = definePrinter<T.StorageClass>(
  [
    ['Name', 'string', (each) => `${each.metadata.name}${isDefault(each) ? ' (default)' : ''}`],
    ['Provisioner', 'string', ({ provisioner }) => provisioner],
    ['ReclaimPolicy', 'string', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'],
    ['VolumeBindingMode', 'string', ({ volumeBindingMode }) => volumeBindingMode ?? '<unset>'],
    ['AllowVolumeExpansion', 'boolean', ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false],
    ['Age', 'string', age],
  ],
  false,
);

/** What was decoded may lack a spec, whatever the types say. */
const specOf = <Spec>({ spec }: { spec?: Spec }): Partial<Spec> => spec ?? {};

export const csiDriverPrinter = definePrinter<T.CSIDriver>([
  ['AttachRequired', 'boolean', (driver) => specOf(driver).attachRequired ?? true],
  ['PodInfoOnMount', 'boolean', (driver) => specOf(driver).podInfoOnMount ?? false],
  ['StorageCapacity', 'boolean', (driver) => specOf(driver).storageCapacity ?? false],
  [
    'TokenRequests',
    'string',
    (driver) => (specOf(driver).tokenRequests ?? []).map(({ audience }) => audience).join(',') || '<unset>',
  ],
  ['RequiresRepublish', 'boolean', (driver) => specOf(driver).requiresRepublish ?? false],
  ['Modes', 'string', (driver) => orNone((specOf(driver).volumeLifecycleModes ?? []).join(','))],
  ['Age', 'string', age],
]);

export const csiNodePrinter = definePrinter<T.CSINode>([
  ['Drivers', 'integer', (node) => (specOf(node).drivers ?? []).length],
  ['Age', 'string', age],
]);

export const csiStorageCapacityPrinter = definePrinter<T.CSIStorageCapacity>([
  ['StorageClassName', 'string', ({ storageClassName }) => storageClassName],
  ['Capacity', 'string', ({ capacity }) => (capacity as string | undefined) ?? '<unset>'],
]);

export const volumeAttachmentPrinter = definePrinter<T.VolumeAttachment>([
  ['Attacher', 'string', (attachment) => specOf(attachment).attacher ?? ''],
  ['PV', 'string', (attachment) => specOf(attachment).source?.persistentVolumeName ?? ''],
  ['Node', 'string', (attachment) => specOf(attachment).nodeName ?? ''],
  ['Attached', 'boolean', ({ status }) => status?.attached ?? false],
  ['Age', 'string', age],
]);

export const volumeAttributesClassPrinter = definePrinter<T.VolumeAttributesClass>([
  ['DriverName', 'string', ({ driverName }) => driverName],
  ['Age', 'string', age],
]);
