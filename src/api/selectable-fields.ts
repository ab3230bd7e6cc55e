/** Which fields a field selector may name, per kind, and how to read them (feature 8-058). */
import {
  EVENTS,
  EVENTS_V1,
  JOBS,
  NAMESPACES,
  NODES,
  PODS,
  REPLICATION_CONTROLLERS,
  REPLICA_SETS,
  SECRETS,
  SERVICES,
  storedKind,
  type Kind,
} from './kinds.ts';
import type { KubeObject } from './types.ts';

type Path = readonly string[];
const paths = (...fields: string[]): Record<string, Path> =>
  Object.fromEntries(fields.map((field) => [field, field.split('.')]));

const eventFields: Record<string, Path> = paths(
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
);

const declared = new Map<Kind, Record<string, Path>>([
  [
    PODS,
    paths(
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.schedulerName',
      'spec.serviceAccountName',
      'spec.hostNetwork',
      'status.phase',
      'status.podIP',
      'status.podIPs',
      'status.nominatedNodeName',
    ),
  ],
  [NODES, paths('spec.unschedulable')],
  [NAMESPACES, paths('status.phase')],
  [SECRETS, paths('type')],
  [SERVICES, paths('spec.clusterIP', 'spec.type')],
  [REPLICATION_CONTROLLERS, paths('status.replicas')],
  [REPLICA_SETS, paths('status.replicas')],
  [JOBS, paths('status.successful')],
  [EVENTS, eventFields],
  [
    EVENTS_V1,
    Object.fromEntries(
      Object.entries(eventFields).map(([name, path]) => [
        name.replace('involvedObject', 'regarding').replace('reportingComponent', 'reportingController'),
        path,
      ]),
    ),
  ],
]);

/** Fields that read as `false` rather than as nothing when they are absent. */
const booleans = new Set(['spec.hostNetwork', 'spec.unschedulable']);

const always: Record<string, Path> = paths('metadata.name', 'metadata.namespace');

/** The names a selector over this kind may use; metadata.name and metadata.namespace always. */
export function supportedFields(kind: Kind): string[] {
  return [...Object.keys(always), ...(kind.custom?.selectableFields ?? Object.keys(fieldsOf(kind)))];
}

/** A further version has those of the stored one, unless it calls them otherwise. */
function fieldsOf(kind: Kind): Record<string, Path> {
  return declared.get(kind) ?? declared.get(storedKind(kind)) ?? {};
}

/** Of an object as it is stored. */
export function selectableFieldsOf(kind: Kind, object: KubeObject): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, path] of Object.entries({ ...always, ...fieldsOf(kind) })) {
    fields[name] = readField(name, path, object);
  }
  return fields;
}

function readField(name: string, path: Path, object: KubeObject): string {
  if (name === 'status.successful') return readPath(['status', 'succeeded'], object) || '0';
  if (name === 'source') {
    return readPath(['source', 'component'], object) || readPath(['reportingComponent'], object);
  }
  if (name === 'status.podIPs') {
    const ips = valueAt(['status', 'podIPs'], object);
    return Array.isArray(ips) ? ips.map((each) => (each as { ip?: string }).ip ?? '').join(',') : '';
  }
  if (name === 'status.replicas') return readPath(path, object) || '0';
  return readPath(path, object) || (booleans.has(name) ? 'false' : '');
}

function valueAt(path: Path, object: unknown): unknown {
  let value = object;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function readPath(path: Path, object: unknown): string {
  const value = valueAt(path, object);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
