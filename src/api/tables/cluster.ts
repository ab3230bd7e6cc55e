/** Nodes, Namespaces, Events, configuration, leases, volumes, RBAC (features 8-033 to 8-035, 8-041, 8-042). */
import type { ConfigMap, Core, Event, KubeObject, Lease, Namespace, Node, Secret } from '../types.ts';
import { age, containerImages, containerNames, labelsCell, orNone, since } from './cells.ts';
import { definePrinter } from './printer.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const nodePrinter = definePrinter<Node>([
  ['Status', 'string', nodeStatus],
  ['Roles', 'string', roles],
  ['Age', 'string', age],
  ['Version', 'string', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''],
  ['Internal-IP*', 'string', (node) => address(node, 'InternalIP')],
  ['External-IP*', 'string', (node) => address(node, 'ExternalIP')],
  ['OS-Image*', 'string', ({ status }) => status?.nodeInfo?.osImage || '<unknown>'],
  [
    'Kernel-Version*',
    'string',
    ({ status }) => {
      const { kernelVersion = '', architecture = '' } = status?.nodeInfo ?? {};
      if (kernelVersion === '') return '<unknown>';
      return architecture === '' ? kernelVersion : `${kernelVersion} (${architecture})`;
    },
  ],
  ['Container-Runtime*', 'string', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>'],
]);

function nodeStatus({ status, spec }: Node): string {
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready');
  const words = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'];
  if (spec?.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
}

function roles({ metadata }: Node): string {
  const names = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return key.length > rolePrefix.length ? [key.slice(rolePrefix.length)] : [];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return orNone([...new Set(names)].sort().join(','));
}

const address = ({ status }: Node, type: string): string =>
  orNone(status?.addresses?.find((each) => each.type === type)?.address);

export const namespacePrinter = definePrinter<Namespace>([
  ['Status', 'string', ({ status }) => status?.phase ?? ''],
  ['Age', 'string', age],
]);

/** A decoded Event may lack what the type promises. */
type AnyEvent = Partial<Event> & KubeObject;

function facts(event: AnyEvent) {
  return {
    object: event.involvedObject ?? {},
    message: event.message ?? '',
    first: event.firstTimestamp ?? event.eventTime,
    last: event.lastTimestamp,
    // 0 is what a zero count is written as, and an Event happened at least once.
    count: event.series?.count ?? (event.count || 1),
    component: event.source?.component || event.reportingComponent || '',
    host: event.source?.host || event.reportingInstance || '',
  };
}

/** An Event's own name says little, so it comes last. */
export const eventPrinter = definePrinter<AnyEvent>(
  [
    [
      'Last Seen',
      'string',
      (event, now) => {
        const { first, last } = facts(event);
        return since(event.series?.lastObservedTime ?? last ?? first, now);
      },
    ],
    ['Type', 'string', (event) => event.type ?? ''],
    ['Reason', 'string', (event) => event.reason ?? ''],
    [
      'Object',
      'string',
      (event) => {
        const { kind = '', name } = facts(event).object;
        return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
      },
    ],
    ['Subobject*', 'string', (event) => facts(event).object.fieldPath ?? ''],
    [
      'Source*',
      'string',
      (event) => {
        const { component, host } = facts(event);
        return host ? `${component}, ${host}` : component;
      },
    ],
    ['Message', 'string', (event) => facts(event).message.trim()],
    ['First Seen*', 'string', (event, now) => since(facts(event).first, now)],
    ['Count*', 'integer', (event) => facts(event).count],
    ['Name*', 'string', ({ metadata }) => metadata.name],
  ],
  false,
);

const dataCount = ({ data, binaryData }: { data?: object; binaryData?: object }): number =>
  Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length;

export const configMapPrinter = definePrinter<ConfigMap>([
  ['Data', 'string', (configMap) => String(dataCount(configMap))],
  ['Age', 'string', age],
]);

export const secretPrinter = definePrinter<Secret>([
  ['Type', 'string', ({ type }) => type ?? ''],
  ['Data', 'string', (secret) => String(dataCount(secret))],
  ['Age', 'string', age],
]);

/** ServiceAccounts and other kinds of which there is nothing more to say. */
export const agePrinter = definePrinter([['Age', 'string', age]]);

export const leasePrinter = definePrinter<Lease>([
  ['Holder', 'string', ({ spec }) => spec?.holderIdentity ?? ''],
  ['Age', 'string', age],
]);

interface Binding extends KubeObject {
  roleRef?: { kind?: string; name?: string };
  subjects?: { kind?: string; name?: string; namespace?: string }[];
}

const subjects = (kind: string) => (binding: Binding) =>
  (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name = '', namespace }) => (namespace ? `${namespace}/${name}` : name))
    .join(', ');

export const bindingPrinter = definePrinter<Binding>([
  ['Role', 'string', ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`],
  ['Age', 'string', age],
  ['Users*', 'string', subjects('User')],
  ['Groups*', 'string', subjects('Group')],
  ['ServiceAccounts*', 'string', subjects('ServiceAccount')],
]);

type Volume = KubeObject & { spec?: Core.PersistentVolumeSpec; status?: Core.PersistentVolumeStatus };
type Claim = KubeObject & { spec?: Core.PersistentVolumeClaimSpec; status?: Core.PersistentVolumeClaimStatus };

const modeLetters: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const accessModes = (modes: readonly string[] | undefined): string =>
  [...new Set(modes ?? [])].map((mode) => modeLetters[mode] ?? mode).join(',');

const phase = ({ status, metadata }: { status?: { phase?: string }; metadata: KubeObject['metadata'] }): string =>
  metadata.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating';

export const persistentVolumePrinter = definePrinter<Volume>([
  ['Capacity', 'string', ({ spec }) => spec?.capacity?.['storage'] ?? ''],
  ['Access Modes', 'string', ({ spec }) => accessModes(spec?.accessModes)],
  ['Reclaim Policy', 'string', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''],
  ['Status', 'string', phase],
  [
    'Claim',
    'string',
    ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : ''),
  ],
  ['StorageClass', 'string', ({ spec }) => spec?.storageClassName ?? ''],
  ['VolumeAttributesClass', 'string', () => '<unset>'],
  ['Reason', 'string', ({ status }) => status?.reason ?? ''],
  ['Age', 'string', age],
  ['VolumeMode*', 'string', ({ spec }) => spec?.volumeMode ?? '<unset>'],
]);

export const persistentVolumeClaimPrinter = definePrinter<Claim>([
  ['Status', 'string', phase],
  ['Volume', 'string', ({ spec }) => spec?.volumeName ?? ''],
  ['Capacity', 'string', ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.['storage'] ?? '') : '')],
  ['Access Modes', 'string', ({ spec, status }) => (spec?.volumeName ? accessModes(status?.accessModes) : '')],
  ['StorageClass', 'string', ({ spec }) => spec?.storageClassName ?? ''],
  ['VolumeAttributesClass', 'string', () => '<unset>'],
  ['Age', 'string', age],
  ['VolumeMode*', 'string', ({ spec }) => spec?.volumeMode ?? '<unset>'],
]);

export const podTemplatePrinter = definePrinter<KubeObject & { template?: Core.PodTemplateSpec }>([
  ['Containers', 'string', ({ template }) => containerNames(template)],
  ['Images', 'string', ({ template }) => containerImages(template)],
  ['Pod Labels', 'string', ({ template }) => labelsCell(template?.metadata?.labels)],
]);

type Quota = KubeObject & { status?: Core.ResourceQuotaStatus };

/** `cpu: 1/4` for every limited resource of one family. */
function usage({ status }: Quota, wanted: (name: string) => boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter(wanted)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name] ?? ''}`)
    .join(', ');
}

export const resourceQuotaPrinter = definePrinter<Quota>([
  ['Request', 'string', (quota) => usage(quota, (name) => !name.startsWith('limits.'))],
  ['Limit', 'string', (quota) => usage(quota, (name) => name.startsWith('limits.'))],
  ['Age', 'string', age],
]);
