/** Who owns what: which objects a controller holds, which orphans it takes in, and which it must let go. */
import type { KubeObject } from '../api/types.ts';
import { isTerminating } from './pod-state.ts';
import { controllerOf } from './pod-template.ts';

export interface Claims<T extends KubeObject> {
  /** Controlled by this owner and still matching. */
  readonly owned: T[];
  /** Without a controller and matching: to be adopted. */
  readonly adopt: T[];
  /** Controlled by this owner but no longer matching: to be released. */
  readonly release: T[];
}

/** An owner on its way out neither takes nor gives; an object on its way out is not adopted any more. */
export function planClaims<T extends KubeObject>(
  owner: KubeObject,
  matches: (candidate: T) => boolean,
  candidates: readonly T[],
): Claims<T> {
  const claims: Claims<T> = { owned: [], adopt: [], release: [] };
  const leaving = isTerminating(owner);
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    if (controller === undefined) {
      if (!leaving && !isTerminating(candidate) && matches(candidate)) claims.adopt.push(candidate);
    } else if (controller.uid === owner.metadata.uid) {
      if (matches(candidate)) claims.owned.push(candidate);
      else if (!leaving) claims.release.push(candidate);
    }
  }
  return claims;
}
