/**
 * The history of a DaemonSet or StatefulSet as ControllerRevisions: pure. `kubectl rollout history` lists them by the set's selector, and
 * `kubectl rollout undo` applies `data` to the set as a strategic merge patch.
 */
import { CONTROLLER_REVISIONS, type Kind } from '../api/kinds.ts';
import type { ControllerRevision, Core, KubeObject } from '../api/types.ts';
import { sameValue } from './canonical.ts';
import { timeOf } from './pod-state.ts';
import { controllerReference, templateHash } from './pod-template.ts';

/** On pods and ControllerRevisions: which revision of the template they are. */
export const REVISION_LABEL = 'controller-revision-hash';

export interface RevisionOwner extends KubeObject {
  readonly spec: { readonly template: Core.PodTemplateSpec; readonly revisionHistoryLimit?: number };
}

export interface History {
  /** The revision of the present template; `create` says whether it must be stored first. */
  readonly current: ControllerRevision;
  readonly create: boolean;
  /** A former revision became the present one again: `current` carries the new number and must be written. */
  readonly renumber: boolean;
  /** Oldest first, without `current`. */
  readonly old: readonly ControllerRevision[];
}

export function planHistory(
  kind: Kind,
  owner: RevisionOwner,
  revisions: readonly ControllerRevision[],
  collisions: number,
): History {
  const sorted = [...revisions].sort(byRevision);
  const latest = sorted.at(-1)?.revision ?? 0;
  const wanted = makeRevision(kind, owner, latest + 1, collisions);
  const equal = sorted.findLast((revision) => sameValue(revision.data, wanted.data));
  if (!equal) return { current: wanted, create: true, renumber: false, old: sorted };
  const old = sorted.filter((revision) => revision !== equal);
  if (equal.revision === latest) return { current: equal, create: false, renumber: false, old };
  return { current: { ...equal, revision: latest + 1 }, create: false, renumber: true, old };
}

/** Revisions beyond the limit that nothing runs any more, lowest first. */
export function beyondLimit(owner: RevisionOwner, history: History, inUse: ReadonlySet<string>): ControllerRevision[] {
  const limit = owner.spec.revisionHistoryLimit ?? 10;
  const unused = history.old.filter(({ metadata }) => !inUse.has(metadata.name));
  return unused.slice(0, Math.max(0, unused.length - limit));
}

/** The value of the label on pods of this revision. */
export const hashOf = (revision: ControllerRevision): string => revision.metadata.labels?.[REVISION_LABEL] ?? '';

/** The template a revision holds. */
export function templateOf(revision: ControllerRevision): Core.PodTemplateSpec {
  const data = revision.data as { spec?: { template?: Core.PodTemplateSpec & { $patch?: string } } } | undefined;
  const { $patch: _, ...template } = data?.spec?.template ?? {};
  return template;
}

function makeRevision(kind: Kind, owner: RevisionOwner, revision: number, collisions: number): ControllerRevision {
  const hash = templateHash(owner.spec.template, collisions);
  return {
    apiVersion: 'apps/v1',
    kind: CONTROLLER_REVISIONS.kind,
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      ...(owner.metadata.namespace !== undefined && { namespace: owner.metadata.namespace }),
      labels: { ...owner.spec.template.metadata?.labels, [REVISION_LABEL]: hash },
      ...(owner.metadata.annotations && { annotations: changeCause(owner.metadata.annotations) }),
      ownerReferences: [controllerReference(kind, owner)],
    },
    data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } } },
    revision,
  };
}

/** `kubectl rollout history` shows it; the applied configuration would only double the size. */
function changeCause(annotations: Record<string, string>): Record<string, string> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...rest } = annotations;
  return rest;
}

function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  return (
    a.revision - b.revision ||
    (timeOf(a.metadata.creationTimestamp) ?? 0) - (timeOf(b.metadata.creationTimestamp) ?? 0) ||
    (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}
