/** Builds a Strategy from the few things a kind does differently; everything else is the same for all. */
import { semanticEqual } from './deep-equal.ts';
import type { FieldError } from './field-error.ts';
import type { Kind } from './kinds.ts';
import { carryOverMetadata, validateObjectMeta, validateObjectMetaUpdate, type NameRule } from './meta.ts';
import { dns1123Subdomain } from './names.ts';
import { selectableFieldsOf } from './selectable-fields.ts';
import type { Strategy } from './strategy.ts';
import type { KubeObject } from './types.ts';

/** All optional. What is left out: nothing to default, nothing to check beyond metadata, status kept apart where the kind has `/status`. */
export interface Differences<T extends KubeObject> {
  /** Default: an RFC 1123 subdomain. */
  nameRule?: NameRule;
  applyDefaults?(object: T): void;
  /** Keeps `metadata.generation`: 1 at first, and one more whenever anything but metadata and status changes. */
  keepsGeneration?: boolean;
  /** A change of labels also counts (EndpointSlice, 2-042). */
  labelsBumpGeneration?: boolean;
  /** The value `status` has on a new object; without it status is removed (where the kind has `/status`). */
  initialStatus?(object: T): unknown;
  prepareForCreate?(object: T): void;
  prepareForUpdate?(object: T, old: T): void;
  /** Besides metadata; run on create and, unless `validateUpdate` says otherwise, on update. */
  validate?(object: T): FieldError[];
  /** Besides metadata and instead of `validate`. */
  validateUpdate?(object: T, old: T): FieldError[];
  validateStatusUpdate?(object: T, old: T): FieldError[];
  warnings?(object: T, old?: T): string[];
  allowCreateOnUpdate?: boolean;
  deletionGracePeriod?(object: T, asked: number | undefined): number | undefined;
}

type Body = Record<string, unknown>;

export function defineStrategy<T extends KubeObject>(kind: Kind<T>, differences: Differences<T> = {}): Strategy<T> {
  const hasStatus = kind.subresources.includes('status');
  const setStatus = (object: T, status: unknown): void => {
    const body = object as unknown as Body;
    if (status === undefined) delete body['status'];
    else body['status'] = status;
  };
  const statusOf = (object: T): unknown => (object as unknown as Body)['status'];
  const checks = (object: T) => differences.validate?.(object) ?? [];

  return {
    applyDefaults: (object) => differences.applyDefaults?.(object),
    prepareForCreate(object) {
      if (hasStatus) setStatus(object, differences.initialStatus?.(object));
      delete object.metadata.generation;
      if (differences.keepsGeneration) object.metadata.generation = 1;
      differences.prepareForCreate?.(object);
    },
    prepareForUpdate(object, old) {
      carryOverMetadata(object, old);
      if (hasStatus) setStatus(object, structuredClone(statusOf(old)));
      differences.prepareForUpdate?.(object, old);
      if (differences.keepsGeneration && contentChanged(object, old, differences.labelsBumpGeneration)) {
        object.metadata.generation = (old.metadata.generation ?? 0) + 1;
      }
    },
    prepareForStatusUpdate(object, old) {
      carryOverMetadata(object, old);
      const body = object as unknown as Body;
      const before = old as unknown as Body;
      for (const field of new Set([...Object.keys(body), ...Object.keys(before)])) {
        if (['status', 'metadata', 'apiVersion', 'kind'].includes(field)) continue;
        if (before[field] === undefined) delete body[field];
        else body[field] = structuredClone(before[field]);
      }
    },
    validate: (object) => [
      ...validateObjectMeta(kind, object, differences.nameRule ?? dns1123Subdomain),
      ...checks(object),
    ],
    validateUpdate: (object, old) => [
      ...validateObjectMetaUpdate(object, old),
      ...(differences.validateUpdate?.(object, old) ?? checks(object)),
    ],
    validateStatusUpdate: (object, old) => [
      ...validateObjectMetaUpdate(object, old),
      ...(differences.validateStatusUpdate?.(object, old) ?? []),
    ],
    warnings: (object, old) => differences.warnings?.(object, old) ?? [],
    selectableFields: (object) => selectableFieldsOf(kind, object),
    allowCreateOnUpdate: differences.allowCreateOnUpdate ?? false,
    deletionGracePeriod: (object, asked) => differences.deletionGracePeriod?.(object, asked),
  };
}

function contentChanged(object: KubeObject, old: KubeObject, labelsCount = false): boolean {
  const content = (each: KubeObject) => {
    const { metadata, status: _status, kind: _kind, apiVersion: _apiVersion, ...rest } = each as KubeObject & Body;
    return { ...rest, labels: labelsCount ? metadata.labels : undefined };
  };
  return !semanticEqual(content(object), content(old));
}
