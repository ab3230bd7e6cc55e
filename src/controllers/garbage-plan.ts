/** What becomes of an object when its owners go: the decision of the garbage collector (feature 8-082). Pure. */
import type { KubeObject, Meta } from '../api/types.ts';

/** `present`: it exists with that uid. `deleting`: it goes, but waits for its dependents. `unknown`: its kind is not served here. */
export type OwnerState = 'present' | 'deleting' | 'absent' | 'unknown';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export type GarbageDecision =
  | { readonly what: 'keep' }
  /** References to owners that are gone are dropped, because another owner keeps the object alive. */
  | { readonly what: 'drop-references'; readonly ownerReferences: Meta.OwnerReference[] }
  | { readonly what: 'delete'; readonly policy: 'Background' | 'Foreground' };

export function decideDependent(
  references: readonly Meta.OwnerReference[],
  states: readonly OwnerState[],
  hasDependents: boolean,
): GarbageDecision {
  if (references.length === 0) return { what: 'keep' };
  const solid = references.filter((_, at) => states[at] === 'present' || states[at] === 'unknown');
  const waiting = states.includes('deleting');
  if (solid.length === references.length) return { what: 'keep' };
  if (solid.length > 0) return { what: 'drop-references', ownerReferences: solid };
  // Its owner waits for it, so it in turn waits for what it owns.
  return { what: 'delete', policy: waiting && hasDependents ? 'Foreground' : 'Background' };
}

export function isWaitingForDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(FOREGROUND);
}

export function isOrphaning({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(ORPHAN);
}

/** Whether a dependent holds up the foreground deletion of the owner with this uid. */
export function blocks({ metadata }: KubeObject, ownerUid: string): boolean {
  return (metadata.ownerReferences ?? []).some((owner) => owner.uid === ownerUid && owner.blockOwnerDeletion === true);
}
