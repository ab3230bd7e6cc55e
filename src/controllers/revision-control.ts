/** Carries out what `planHistory` says, for DaemonSets and StatefulSets. */
import { isAlreadyExists } from '../api/api-error.ts';
import { CONTROLLER_REVISIONS, type Kind } from '../api/kinds.ts';
import { matchLabelSelector } from '../api/selectors.ts';
import type { ControllerRevision, Meta } from '../api/types.ts';
import { claim } from './adoption.ts';
import { ignoreNotFound } from './api-outcomes.ts';
import { sameValue } from './canonical.ts';
import type { View } from './loop.ts';
import { beyondLimit, planHistory, type History, type RevisionOwner } from './revision.ts';

/** The stored history, or `collision` where the name of a new revision belongs to something else. */
export async function syncHistory(
  kind: Kind,
  owner: RevisionOwner & { spec: { selector: Meta.LabelSelector } },
  collisions: number,
  view: View,
): Promise<History | 'collision'> {
  const revisions = await claim<ControllerRevision>(view, {
    ownerKind: kind,
    owner,
    kind: CONTROLLER_REVISIONS,
    matches: ({ metadata }) => matchLabelSelector(owner.spec.selector, metadata.labels ?? {}),
  });
  const history = planHistory(kind, owner, revisions, collisions);
  if (history.renumber) {
    return { ...history, current: await view.client.update(CONTROLLER_REVISIONS, history.current) };
  }
  if (!history.create) return history;
  try {
    return { ...history, current: await view.client.create(CONTROLLER_REVISIONS, history.current) };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { name, namespace } = history.current.metadata;
    const taken = await view.client.get(CONTROLLER_REVISIONS, name, namespace);
    return sameValue(taken.data, history.current.data) ? { ...history, current: taken } : 'collision';
  }
}

export async function trimHistory(
  owner: RevisionOwner,
  history: History,
  inUse: ReadonlySet<string>,
  view: View,
): Promise<void> {
  for (const { metadata } of beyondLimit(owner, history, inUse)) {
    await ignoreNotFound(view.client.delete(CONTROLLER_REVISIONS, metadata.name, metadata.namespace));
  }
}
