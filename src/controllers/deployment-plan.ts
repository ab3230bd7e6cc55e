/**
 * The next step of a Deployment, as data: which ReplicaSets to create, resize or delete, what to tell, and the status. Pure. A step may go only
 * as far as the bounds allow on what is known to be available now, so that repeating it from any state ends in the rollout done.
 */
import { isPodTerminal } from '../api/pods.ts';
import type { Apps, Deployment, Pod, ReplicaSet } from '../api/types.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../api/kinds.ts';
import { sameValue } from './canonical.ts';
import {
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  newReplicaSetAnnotations,
  numberAnnotation,
  revisionOf,
  sizeAnnotations,
} from './deployment-revision.ts';
import {
  availableOf,
  desiredOf,
  isRolling,
  newReplicaSetSize,
  oldReplicaSetSizes,
  proportionalSizes,
  sizeOf,
  sum,
} from './deployment-size.ts';
import {
  conditionOf,
  countedStatus,
  deadlineIn,
  hasDeadline,
  isComplete,
  newCondition,
  pauseConditions,
  rolloutStatus,
  withCondition,
} from './deployment-status.ts';
import { isTerminating, timeOf } from './pod-state.ts';
import { controllerReference, sameTemplate, TEMPLATE_HASH_LABEL, templateHash } from './pod-template.ts';

export interface RolloutInput {
  readonly deployment: Deployment;
  /** The ReplicaSets the Deployment controls. */
  readonly replicaSets: readonly ReplicaSet[];
  /** The pods of each, by the ReplicaSet's uid; terminating ones too (Recreate waits for them). */
  readonly podsOf: (replicaSet: ReplicaSet) => readonly Pod[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Resize {
  readonly replicaSet: ReplicaSet;
  /** Text of the ScalingReplicaSet event; absent where only annotations change. */
  readonly message?: string;
}

export interface RolloutPlan {
  /** A ReplicaSet for the present template, there was none. */
  readonly create?: Resize;
  /** ReplicaSets as they should be, to be written over the stored ones. */
  readonly update: readonly Resize[];
  /** Old, empty ReplicaSets beyond the history limit. */
  readonly remove: readonly ReplicaSet[];
  /** Value of the Deployment's revision annotation where it must change. */
  readonly revision?: string;
  readonly status: Apps.DeploymentStatus;
  /** Milliseconds until the progress deadline must be looked at again. */
  readonly checkIn?: number;
}

/** ReplicaSets as the plan goes along: reads give what has been planned so far. */
class Draft {
  readonly deployment: Deployment;
  readonly #stored: readonly ReplicaSet[];
  #changed = new Map<string, ReplicaSet>();
  #created: ReplicaSet | undefined;
  conditions: Apps.DeploymentCondition[];

  constructor(deployment: Deployment, stored: readonly ReplicaSet[], conditions: Apps.DeploymentCondition[]) {
    this.deployment = deployment;
    this.#stored = [...stored].sort(byAge);
    this.conditions = conditions;
  }
  get stored(): readonly ReplicaSet[] {
    return this.#stored.map((each) => this.#changed.get(each.metadata.name) ?? each);
  }
  /** Oldest first where several have the same template. */
  get newest(): ReplicaSet | undefined {
    return this.#created ?? this.stored.find((each) => sameTemplate(each.spec.template, this.deployment.spec.template));
  }
  get old(): readonly ReplicaSet[] {
    const newest = this.newest?.metadata.name;
    return this.stored.filter((each) => each.metadata.name !== newest);
  }
  get all(): readonly ReplicaSet[] {
    return this.#created ? [...this.stored, this.#created] : this.stored;
  }
  create(replicaSet: ReplicaSet): void {
    this.#created = replicaSet;
  }
  change(replicaSet: ReplicaSet): void {
    this.#changed.set(replicaSet.metadata.name, replicaSet);
  }
  /** True when the number of pods changes; the annotations about size are kept right in any case. */
  resize(replicaSet: ReplicaSet, replicas: number): boolean {
    const annotations = { ...replicaSet.metadata.annotations, ...sizeAnnotations(this.deployment) };
    const sized = {
      ...replicaSet,
      metadata: { ...replicaSet.metadata, annotations },
      spec: { ...replicaSet.spec, replicas },
    };
    if (!sameValue(sized, replicaSet)) this.change(sized);
    return sizeOf(replicaSet) !== replicas;
  }
  get changes(): { create?: Resize; update: Resize[] } {
    const update = this.#stored.flatMap((before): Resize[] => {
      const after = this.#changed.get(before.metadata.name);
      if (!after || sameValue(after, before)) return [];
      const message = scalingMessage(before.metadata.name, sizeOf(before), sizeOf(after));
      return [{ replicaSet: after, ...(message !== undefined && { message }) }];
    });
    if (!this.#created) return { update };
    const message = scalingMessage(this.#created.metadata.name, 0, sizeOf(this.#created));
    return { create: { replicaSet: this.#created, ...(message !== undefined && { message }) }, update };
  }
}

function scalingMessage(name: string, from: number, to: number): string | undefined {
  if (from === to) return undefined;
  return `Scaled ${from < to ? 'up' : 'down'} replica set ${name} from ${String(from)} to ${String(to)}`;
}

/** What to do next for one Deployment. */
export function planRollout(input: RolloutInput): RolloutPlan {
  const { deployment, now } = input;
  const draft = new Draft(deployment, input.replicaSets, pauseConditions(deployment, now));
  if (isTerminating(deployment)) return finish(input, draft, []);
  takeUpNewest(draft, now);
  const scaling = isScalingEvent(draft);
  if (deployment.spec.paused === true || scaling) {
    rescale(draft);
    return finish(input, draft, deployment.spec.paused === true ? beyondHistory(draft) : []);
  }
  const moved = isRolling(deployment) ? roll(draft, now) : recreate(draft, input);
  const status = countedStatus(deployment, draft.newest, draft.all, now);
  return finish(input, draft, !moved && isComplete(deployment, status) ? beyondHistory(draft) : []);
}

function finish(input: RolloutInput, draft: Draft, remove: readonly ReplicaSet[]): RolloutPlan {
  const { deployment, now } = input;
  const { newest, all } = draft;
  // The conditions written so far in this step count as known: what follows adds to them.
  const known: Deployment = { ...deployment, status: { ...deployment.status, conditions: draft.conditions } };
  const counted = countedStatus(known, newest, all, now);
  const resting = isTerminating(deployment) || deployment.spec.paused === true;
  const status = resting ? counted : rolloutStatus(known, counted, newest, all, now);
  const revision = newest?.metadata.annotations?.['deployment.kubernetes.io/revision'];
  const checkIn = resting ? undefined : deadlineIn(deployment, status, now);
  return {
    ...draft.changes,
    remove,
    status,
    ...(revision !== undefined && revisionOf(deployment) !== Number(revision) && { revision }),
    // A second more, so that the deadline has surely passed when it is looked at.
    ...(checkIn !== undefined && checkIn > 0 && { checkIn: checkIn + 1000 }),
  };
}

/** Where a ReplicaSet for the present template exists, it becomes the latest revision: this is all a rollback is. */
function takeUpNewest(draft: Draft, now: number): void {
  const { newest, deployment } = draft;
  if (!newest) return;
  const annotations = newReplicaSetAnnotations(deployment, newest.metadata.annotations ?? {}, nextRevision(draft));
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  if (!sameValue(annotations, newest.metadata.annotations) || (newest.spec.minReadySeconds ?? 0) !== minReadySeconds) {
    draft.change({
      ...newest,
      metadata: { ...newest.metadata, annotations },
      spec: { ...newest.spec, minReadySeconds },
    });
  }
  if (hasDeadline(deployment) && !conditionOf(draft.conditions, 'Progressing')) {
    const message = `Found new replica set "${newest.metadata.name}"`;
    const found = newCondition('Progressing', 'True', 'FoundNewReplicaSet', message, now);
    draft.conditions = withCondition(draft.conditions, found);
  }
}

const nextRevision = (draft: Draft): number => Math.max(0, ...draft.old.map(revisionOf)) + 1;

function makeNewest(draft: Draft, now: number): ReplicaSet {
  const { deployment } = draft;
  const { spec, metadata } = deployment;
  const hash = templateHash(spec.template, deployment.status?.collisionCount ?? 0);
  const template = structuredClone(spec.template);
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash } };
  const replicaSet: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: REPLICA_SETS.kind,
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels: { ...template.metadata.labels },
      annotations: {
        ...newReplicaSetAnnotations(deployment, {}, nextRevision(draft)),
        ...sizeAnnotations(deployment),
      },
      ownerReferences: [controllerReference(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas: newReplicaSetSize(deployment, draft.all, 0),
      minReadySeconds: spec.minReadySeconds ?? 0,
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash } },
      template,
    },
  };
  draft.create(replicaSet);
  if (hasDeadline(deployment)) {
    const message = `Created new replica set "${replicaSet.metadata.name}"`;
    const created = newCondition('Progressing', 'True', 'NewReplicaSetCreated', message, now);
    draft.conditions = withCondition(draft.conditions, created);
  }
  return replicaSet;
}

/** One step of a rolling update: up where there is room, else down where enough is available. True when something moved. */
function roll(draft: Draft, now: number): boolean {
  const { deployment } = draft;
  const newest = draft.newest ?? makeNewest(draft, now);
  const desired = desiredOf(deployment);
  if (sizeOf(newest) !== desired) {
    const size = sizeOf(newest) > desired ? desired : newReplicaSetSize(deployment, draft.all, sizeOf(newest));
    if (size !== sizeOf(newest)) return draft.resize(newest, size);
  }
  let moved = false;
  for (const [replicaSet, size] of oldReplicaSetSizes(deployment, draft.newest, draft.old)) {
    if (size !== sizeOf(replicaSet)) moved = draft.resize(replicaSet, size) || moved;
  }
  return moved;
}

/** All old pods must be gone, terminating ones too, before the first new one starts. */
function recreate(draft: Draft, input: RolloutInput): boolean {
  const active = draft.old.filter((each) => sizeOf(each) > 0);
  for (const replicaSet of active) draft.resize(replicaSet, 0);
  if (active.length > 0) return true;
  if (draft.old.some((each) => input.podsOf(each).some((pod) => !isPodTerminal(pod)))) return true;
  const newest = draft.newest ?? makeNewest(draft, input.now);
  return draft.resize(newest, desiredOf(draft.deployment));
}

/** The asked-for number differs from what an active ReplicaSet was last sized for. */
function isScalingEvent({ deployment, all }: Draft): boolean {
  return all
    .filter((each) => sizeOf(each) > 0)
    .some((each) => (numberAnnotation(each, DESIRED_REPLICAS) ?? desiredOf(deployment)) !== desiredOf(deployment));
}

/** A new size in the middle of a rollout, or while paused: every revision keeps its share. */
function rescale(draft: Draft): void {
  const { deployment, newest, old } = draft;
  const desired = desiredOf(deployment);
  const active = draft.all.filter((each) => sizeOf(each) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newest ?? old.at(-1);
    if (only) draft.resize(only, desired);
    return;
  }
  if (newest && isSaturated(newest, desired)) {
    for (const each of old) if (sizeOf(each) > 0) draft.resize(each, 0);
    return;
  }
  if (!isRolling(deployment)) {
    // Recreate empties the old ones next; here only the size annotations are brought up to date.
    for (const each of active) draft.resize(each, sizeOf(each));
    return;
  }
  const shares = active.map((replicaSet) => ({
    replicaSet,
    size: sizeOf(replicaSet),
    formerMaximum: numberAnnotation(replicaSet, MAX_REPLICAS) ?? deployment.status?.replicas ?? 0,
  }));
  for (const [replicaSet, size] of proportionalSizes(deployment, shares)) draft.resize(replicaSet, size);
}

const isSaturated = (newest: ReplicaSet, desired: number): boolean =>
  sizeOf(newest) === desired &&
  numberAnnotation(newest, DESIRED_REPLICAS) === desired &&
  availableOf(newest) === desired;

/** Old ReplicaSets beyond `revisionHistoryLimit`, the lowest revisions first; only those that are empty and known to be. */
function beyondHistory({ deployment, old }: Draft): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const kept = old.filter((each) => !isTerminating(each)).sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
  return kept
    .slice(0, Math.max(0, kept.length - limit))
    .filter(
      ({ spec, status, metadata }) =>
        sum([spec.replicas ?? 1, status?.replicas ?? 0]) === 0 &&
        (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0),
    );
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const difference = (timeOf(a.metadata.creationTimestamp) ?? 0) - (timeOf(b.metadata.creationTimestamp) ?? 0);
  return difference || (a.metadata.name < b.metadata.name ? -1 : 1);
}
