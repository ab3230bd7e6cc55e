/** Between what is stored and what a version of a kind shows. The table of kinds says which conversion belongs to which row. */
import type { FieldError } from '../field-error.ts';
import { apiVersionOf, storedKind, type Kind } from '../kinds.ts';
import type { KubeObject } from '../types.ts';

/** The stored object as `kind` shows it. Shares what it does not change. */
export function toVersion(stored: KubeObject, kind: Kind): KubeObject {
  if (storedKind(kind) === kind) return stored;
  const converted = kind.conversion?.toVersion(stored) ?? stored;
  return { ...converted, kind: kind.kind, apiVersion: apiVersionOf(kind) };
}

/**
 * What a client wrote as `kind`, as it is to be stored, with this version's own defaults filled in.
 * @param object decoded; given away
 * @param old what is stored now, where there is something
 */
export function fromVersion(object: KubeObject, kind: Kind, old?: KubeObject): KubeObject {
  const stored = storedKind(kind);
  kind.conversion?.applyDefaults?.(object);
  const converted = kind.conversion?.fromVersion(object, old) ?? object;
  return stored === kind ? converted : { ...converted, kind: stored.kind, apiVersion: apiVersionOf(stored) };
}

/** What is wrong with a stored object, in the words of the version it was written in. */
export function errorsIn(kind: Kind | undefined, errors: readonly FieldError[]): FieldError[] {
  const errorIn = kind?.conversion?.errorIn;
  return errorIn ? errors.flatMap((error) => errorIn(error) ?? []) : [...errors];
}
