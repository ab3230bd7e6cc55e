/** The arithmetic of a rollout: how far above and below the asked-for number of pods it may go, and who grows by how much. */
import type { Deployment, ReplicaSet } from '../api/types.ts';
import { resolveIntOrPercent } from './int-or-percent.ts';

export const desiredOf = (deployment: Deployment): number => deployment.spec.replicas ?? 1;
export const sizeOf = (replicaSet: ReplicaSet): number => replicaSet.spec.replicas ?? 1;
/** Never more than asked for: a status that lags behind a scale-down still counts pods that are on their way out. */
export const availableOf = (replicaSet: ReplicaSet): number =>
  Math.min(replicaSet.status?.availableReplicas ?? 0, sizeOf(replicaSet));
export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

export const isRolling = (deployment: Deployment): boolean => deployment.spec.strategy?.type !== 'Recreate';

/** Surge rounds up, unavailable rounds down; where both come to 0 one pod may be unavailable, or nothing could ever move. */
function bounds(deployment: Deployment): { surge: number; unavailable: number } {
  const desired = desiredOf(deployment);
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const surge = resolveIntOrPercent(rolling?.maxSurge ?? '25%', desired, 'up');
  const unavailable = resolveIntOrPercent(rolling?.maxUnavailable ?? '25%', desired, 'down');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** Pods allowed above the asked-for number; 0 under Recreate. */
export function maxSurge(deployment: Deployment): number {
  return isRolling(deployment) ? bounds(deployment).surge : 0;
}

/** Pods allowed to be missing, never more than asked for; 0 under Recreate. */
export function maxUnavailable(deployment: Deployment): number {
  if (!isRolling(deployment) || desiredOf(deployment) === 0) return 0;
  return Math.min(bounds(deployment).unavailable, desiredOf(deployment));
}

/** The size the newest ReplicaSet may have now, next to the present sizes of all (itself included). */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], present: number): number {
  const desired = desiredOf(deployment);
  if (!isRolling(deployment)) return desired;
  const room = desired + maxSurge(deployment) - sum(all.map(sizeOf));
  return room <= 0 ? present : present + Math.min(room, Math.max(0, desired - present));
}

/**
 * How many pods each old ReplicaSet loses in this step, `oldest` first. Pods that are not available go first and cost nothing; then
 * available ones, as many as the newest ReplicaSet has replaced.
 */
export function oldReplicaSetSizes(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  oldest: readonly ReplicaSet[],
): Map<ReplicaSet, number> {
  const sizes = new Map(oldest.map((each) => [each, sizeOf(each)]));
  const minimum = desiredOf(deployment) - maxUnavailable(deployment);
  const newSize = newest ? sizeOf(newest) : 0;
  const newMissing = newest ? newSize - availableOf(newest) : 0;
  let mayGo = sum(oldest.map(sizeOf)) + newSize - minimum - newMissing;
  if (mayGo <= 0) return sizes;
  for (const each of oldest) {
    const unhealthy = Math.min(mayGo, sizeOf(each) - availableOf(each));
    sizes.set(each, sizeOf(each) - unhealthy);
    mayGo -= unhealthy;
  }
  let surplus = sum([...oldest, ...(newest ? [newest] : [])].map(availableOf)) - minimum;
  for (const each of oldest) {
    const size = sizes.get(each) ?? 0;
    const going = Math.min(size, Math.max(0, surplus));
    sizes.set(each, size - going);
    surplus -= going;
  }
  return sizes;
}

/** What is known about a ReplicaSet when a Deployment is resized in the middle of a rollout. */
export interface Share {
  readonly replicaSet: ReplicaSet;
  readonly size: number;
  /** The most pods the Deployment could have when this ReplicaSet was last sized. */
  readonly formerMaximum: number;
}

/**
 * Spreads a change of size over the ReplicaSets in proportion to their sizes; what rounding leaves over goes to the first. Growing
 * favours large and new ones, shrinking large and old ones. `shares` are the ReplicaSets that have pods, oldest first.
 */
export function proportionalSizes(deployment: Deployment, shares: readonly Share[]): Map<ReplicaSet, number> {
  const desired = desiredOf(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const change = allowed - sum(shares.map(({ size }) => size));
  const order = (change > 0 ? shares.toReversed() : [...shares]).sort((a, b) => b.size - a.size);
  const sizes = new Map<ReplicaSet, number>();
  let left = change;
  for (const share of order) {
    const exact = exactChange(share, desired, allowed);
    const part = change > 0 ? Math.max(0, Math.min(exact, left)) : Math.min(0, Math.max(exact, left));
    sizes.set(share.replicaSet, share.size + part);
    left -= part;
  }
  const first = order[0]?.replicaSet;
  if (first && left !== 0) sizes.set(first, Math.max(0, (sizes.get(first) ?? 0) + left));
  return sizes;
}

function exactChange({ size, formerMaximum }: Share, desired: number, allowed: number): number {
  if (desired === 0) return -size;
  return formerMaximum <= 0 ? 0 : roundAwayFromZero((size * allowed) / formerMaximum) - size;
}

const roundAwayFromZero = (value: number): number => Math.sign(value) * Math.round(Math.abs(value));
