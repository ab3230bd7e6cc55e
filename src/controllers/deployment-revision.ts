/** The annotations by which a Deployment and its ReplicaSets remember revisions and sizes: what `kubectl rollout` reads. */
import type { Deployment, ReplicaSet } from '../api/types.ts';
import { maxSurge } from './deployment-size.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
/** About the Deployment itself, or written by this controller: never copied to a ReplicaSet. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);
/** A ReplicaSet that comes back again and again keeps no more than so many characters of former revisions. */
const HISTORY_LIMIT = 2000;

type Annotations = Record<string, string>;

/** 0 where absent or unreadable. */
export function revisionOf(object: ReplicaSet | Deployment): number {
  const text = object.metadata.annotations?.[REVISION] ?? '';
  return /^\d+$/.test(text) ? Number(text) : 0;
}

/** What the newest ReplicaSet must carry: the Deployment's annotations (the change cause among them) and its revision. */
export function newReplicaSetAnnotations(deployment: Deployment, old: Annotations, revision: number): Annotations {
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key));
  const annotations: Annotations = { ...old, ...Object.fromEntries(copied) };
  const former = old[REVISION];
  if (former !== undefined && /^\d+$/.test(former) && Number(former) >= revision) return annotations;
  annotations[REVISION] = String(revision);
  if (former !== undefined) annotations[REVISION_HISTORY] = appendHistory(old[REVISION_HISTORY] ?? '', former);
  return annotations;
}

function appendHistory(history: string, revision: string): string {
  const all = history === '' ? [revision] : [...history.split(','), revision];
  while (all.length > 1 && all.join(',').length > HISTORY_LIMIT) all.shift();
  return all.join(',');
}

/** By what proportional scaling later knows how large the Deployment was when this ReplicaSet was last sized. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const desired = deployment.spec.replicas ?? 1;
  return { [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(desired + maxSurge(deployment)) };
}

/** The number an annotation holds, or undefined. */
export function numberAnnotation(replicaSet: ReplicaSet, name: string): number | undefined {
  const text = replicaSet.metadata.annotations?.[name] ?? '';
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}
