/** `metadata.managedFields`: who wrote which fields, by manager, operation, version and subresource (features 8-070, 8-071). */
import type { Meta } from '../types.ts';
import { EMPTY, isEmpty, union, type FieldSet } from './field-set.ts';
import { fromFieldsV1, toFieldsV1, type FieldsV1 } from './fields-v1.ts';

export type ManagedFieldsEntry = Meta.ManagedFieldsEntry;

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' for the main resource. */
  readonly subresource: string;
  /** RFC 3339, to the second; '' where none is known. */
  readonly time: string;
  readonly fields: FieldSet;
  /** The same fields as they stood in the object, for as long as they have not changed. */
  readonly written?: FieldsV1;
}

/** The same manager: for what was applied the version does not count, as an applier has one configuration. */
export function sameManager(a: Manager, b: Omit<Manager, 'fields' | 'time'>): boolean {
  return (
    a.name === b.name &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

/** `trusted`: written by this server. Throws Error for entries that cannot be understood. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined, trusted = false): Manager[] {
  return (entries ?? []).map((entry) => {
    const { manager = '', operation, apiVersion = '', subresource = '', time = '', fieldsV1, fieldsType } = entry;
    if (operation !== 'Apply' && operation !== 'Update') throw new Error(`unknown operation ${String(operation)}`);
    if (fieldsType !== undefined && fieldsType !== 'FieldsV1') throw new Error(`unknown fieldsType ${fieldsType}`);
    const fields = fieldsV1 ? fromFieldsV1(fieldsV1, trusted) : EMPTY;
    return {
      name: manager,
      operation,
      apiVersion,
      subresource,
      time,
      fields,
      ...(trusted && fieldsV1 && { written: fieldsV1 as FieldsV1 }),
    };
  });
}

/** In the order servers write them; undefined where nobody owns anything. */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] | undefined {
  const kept = managers.filter(({ fields }) => !isEmpty(fields));
  if (kept.length === 0) return undefined;
  return kept.sort(byRank).map((manager) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time !== '' && { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: manager.written ?? toFieldsV1(manager.fields),
    ...(manager.subresource !== '' && { subresource: manager.subresource }),
  }));
}

/** Appliers first, then the oldest. */
function byRank(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time, b.time) ||
    compareText(a.name, b.name) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function withFields(manager: Manager, fields: FieldSet): Manager {
  if (fields === manager.fields) return manager;
  const { written: _written, ...rest } = manager;
  return { ...rest, fields };
}

/** The name that takes over from writers that have gone out of sight. */
const ANCIENT = 'ancient-changes';

/** More than `maximum` managers of updates would let an object grow without end: the oldest are written together under one name. */
export function capManagers(managers: readonly Manager[], maximum: number): readonly Manager[] {
  const updaters = managers.filter(({ operation }) => operation === 'Update');
  let left = updaters.length - maximum;
  if (left <= 0) return managers;
  const gone = new Set<Manager>();
  const buckets = new Map<string, Manager>();
  const first = new Map<string, Manager>();
  for (const manager of updaters.sort(byRank)) {
    if (left <= 0) break;
    const before = first.get(manager.apiVersion);
    if (!before) {
      first.set(manager.apiVersion, manager);
      continue;
    }
    // The first of a version is only given up when a second joins it.
    gone.add(before).add(manager);
    const { fields } = buckets.get(manager.apiVersion) ?? before;
    const bucket = { ...manager, name: ANCIENT, subresource: '', fields: union(fields, manager.fields) };
    buckets.set(manager.apiVersion, withFields({ ...bucket, fields: EMPTY }, bucket.fields));
    left--;
  }
  return [...managers.filter((manager) => !gone.has(manager)), ...buckets.values()];
}
