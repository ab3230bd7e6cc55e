/** Carries out claims: writes the owner's reference into orphans that match and takes it out of objects that no longer do. */
import { isConflict, isInvalid, isNotFound } from '../api/api-error.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { planClaims } from './claim.ts';
import { isTerminating } from './pod-state.ts';
import { controllerReference } from './pod-template.ts';
import type { View } from './loop.ts';

export interface ClaimOptions<T extends KubeObject> {
  readonly ownerKind: Kind;
  readonly owner: KubeObject;
  readonly kind: Kind<T>;
  readonly matches: (candidate: T) => boolean;
}

/** What `owner` controls afterwards. @throws ApiError Conflict when an object changed meanwhile: try again from the cache. */
export async function claim<T extends KubeObject>(view: View, options: ClaimOptions<T>): Promise<T[]> {
  const { owner, kind, ownerKind, matches } = options;
  const candidates = [
    ...view.byIndex(kind, 'controller', owner.metadata.uid ?? ''),
    ...view.byIndex(kind, 'orphan', owner.metadata.namespace ?? '').filter(matches),
  ];
  const { owned, adopt, release } = planClaims(owner, matches, candidates);
  for (const object of release) await letGo(view, kind, owner, object);
  if (adopt.length === 0 || !(await stillThere(view, ownerKind, owner))) return owned;
  for (const object of adopt) {
    const adopted = await writeOwners(view, kind, object, [
      ...(object.metadata.ownerReferences ?? []),
      controllerReference(ownerKind, owner),
    ]);
    if (adopted) owned.push(adopted);
  }
  return owned;
}

/** For `Controller.indexes`: objects without a controller, by namespace. */
export const orphanIndex = {
  orphan: (object: KubeObject): string[] =>
    object.metadata.ownerReferences?.some((reference) => reference.controller) ? [] : [object.metadata.namespace ?? ''],
};

async function letGo<T extends KubeObject>(view: View, kind: Kind<T>, owner: KubeObject, object: T): Promise<void> {
  const others = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
  await writeOwners(view, kind, object, others);
}

async function writeOwners<T extends KubeObject>(
  view: View,
  kind: Kind<T>,
  object: T,
  ownerReferences: NonNullable<KubeObject['metadata']['ownerReferences']>,
): Promise<T | undefined> {
  try {
    return await view.client.update(kind, { ...object, metadata: { ...object.metadata, ownerReferences } });
  } catch (error) {
    // Gone, or refused because another controller was first: not ours, and nothing to do.
    if (isNotFound(error) || isInvalid(error)) return undefined;
    throw error;
  }
}

/** Asks the server, not the cache: adopting for an owner that is being deleted would let its orphans be collected. */
async function stillThere(view: View, kind: Kind, owner: KubeObject): Promise<boolean> {
  try {
    const live = await view.client.get(kind, owner.metadata.name, owner.metadata.namespace);
    return live.metadata.uid === owner.metadata.uid && !isTerminating(live);
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** A write lost against a newer version: not worth a log line, the next event brings the new version. */
export const lostRace = (error: unknown): boolean => isConflict(error) || isNotFound(error);
