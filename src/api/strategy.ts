/**
 * What a kind adds to the generic write path: decode -> default -> admit -> prepare -> validate -> allocate -> store.
 * All pure: a strategy changes the object it is given and nothing else. Allocation of cluster IPs and node ports is the API server's.
 */
import type { FieldError } from './field-error.ts';
import type { KubeObject } from './types.ts';

export interface Strategy<T extends KubeObject = KubeObject> {
  /** Fills absent fields in place, on every write, before validation. Idempotent. */
  applyDefaults(object: T): void;
  /** Wipes what a client may not set on create (status) and starts `metadata.generation` where the kind keeps one. */
  prepareForCreate(object: T): void;
  /** Puts back what an update through the main resource may not change (status), bumps generation when the spec changed. */
  prepareForUpdate(object: T, old: T): void;
  /** The same for PUT and PATCH of `/status`: everything but status (and metadata like labels) is put back. */
  prepareForStatusUpdate(object: T, old: T): void;
  validate(object: T): FieldError[];
  validateUpdate(object: T, old: T): FieldError[];
  validateStatusUpdate(object: T, old: T): FieldError[];
  /** Texts for the `Warning: 299` header. */
  warnings(object: T, old?: T): string[];
  /** The selectable fields besides metadata.name and metadata.namespace (feature 8-058): path -> value. */
  selectableFields(object: T): Record<string, string>;
  /** PUT to a missing name creates it (feature 1-006). */
  readonly allowCreateOnUpdate: boolean;
  /** Seconds to wait before the object really goes; undefined: at once. Pods answer their grace period here (7-028). */
  deletionGracePeriod(object: T, asked: number | undefined): number | undefined;
}
