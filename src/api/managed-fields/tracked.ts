/** The part of an object whose owners are kept: not its identity, not what the server alone writes, not what the endpoint does not write. */
import type { Json } from './merge-schema.ts';
import { setOfPaths, type FieldSet } from './field-set.ts';

/** Which part an endpoint writes: `main` all but status where status has an endpoint of its own, `status` only that and metadata. */
export type Part = 'all' | 'main' | 'status';

/** A shallow copy with fields left out. */
export function tracked(object: Json, part: Part): Json {
  const { apiVersion: _apiVersion, kind: _kind, metadata, status, ...rest } = object;
  const result: Json = part === 'status' ? {} : rest;
  if (part !== 'main' && status !== undefined) result['status'] = status;
  if (typeof metadata === 'object' && metadata !== null) {
    const {
      name: _name,
      namespace: _namespace,
      uid: _uid,
      creationTimestamp: _creationTimestamp,
      selfLink: _selfLink,
      generation: _generation,
      managedFields: _managedFields,
      resourceVersion: _resourceVersion,
      ...meta
    } = metadata as Json;
    result['metadata'] = meta;
  }
  return result;
}

/** Never owned, even where an object writes nothing else. */
export const NEVER_OWNED: FieldSet = setOfPaths([['f:metadata']]);
