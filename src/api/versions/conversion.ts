/**
 * How one served version of a kind and the stored one turn into each other. Pure: nothing given is changed but by `applyDefaults`, and what
 * stays the same is shared. `kind` and `apiVersion` are the caller's to set (`convert.ts`).
 */
import type { FieldError } from '../field-error.ts';
import type { KubeObject } from '../types.ts';

export interface Conversion {
  /** A stored object as this version shows it. */
  toVersion(stored: KubeObject): KubeObject;
  /**
   * What a client wrote in this version as it is to be stored.
   * @param old what is stored now, where there is something
   */
  fromVersion(object: KubeObject, old?: KubeObject): KubeObject;
  /** Fills in place what this version fills in otherwise than the stored one; before `fromVersion`. */
  applyDefaults?(object: KubeObject): void;
  /**
   * What is wrong with a stored object in the names of this version; undefined for what is no fault here: this version allows what was
   * only forbidden later.
   */
  errorIn?(error: FieldError): FieldError | undefined;
}
