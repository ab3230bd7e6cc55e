/** Which behaviour belongs to which kind. A kind without a line of its own has metadata checks and nothing else. */
import { defineStrategy } from './define-strategy.ts';
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  KINDS,
  PODS,
  REPLICATION_CONTROLLERS,
  REPLICA_SETS,
  SERVICES,
  STATEFUL_SETS,
  type Kind,
} from './kinds.ts';
import { podStrategy } from './strategies/pod.ts';
import { serviceStrategy } from './strategies/service.ts';
import {
  cronJobStrategy,
  daemonSetStrategy,
  deploymentStrategy,
  jobStrategy,
  replicaSetStrategy,
  replicationControllerStrategy,
  statefulSetStrategy,
} from './strategies/workloads.ts';
import type { Strategy } from './strategy.ts';
import type { KubeObject } from './types.ts';

/** Ties a strategy to its own kind's objects, then forgets the object type: the table holds all kinds. */
function entry<T extends KubeObject>(kind: Kind<T>, strategy: Strategy<T>): [Kind, Strategy] {
  return [kind, strategy as unknown as Strategy];
}

const special: [Kind, Strategy][] = [
  entry(SERVICES, serviceStrategy),
  entry(PODS, podStrategy),
  entry(DEPLOYMENTS, deploymentStrategy),
  entry(REPLICA_SETS, replicaSetStrategy),
  entry(REPLICATION_CONTROLLERS, replicationControllerStrategy),
  entry(DAEMON_SETS, daemonSetStrategy),
  entry(STATEFUL_SETS, statefulSetStrategy),
  entry(JOBS, jobStrategy),
  entry(CRON_JOBS, cronJobStrategy),
];

const strategies = new Map<Kind, Strategy>([
  ...KINDS.map((kind): [Kind, Strategy] => [kind, defineStrategy(kind)]),
  ...special,
]);

/** The behaviour of a served kind; every row of KINDS has one. */
export function strategyFor<T extends KubeObject>(kind: Kind<T>): Strategy<T> {
  const strategy = strategies.get(kind);
  if (!strategy) throw new Error(`no strategy for ${kind.kind}: it is not a row of KINDS`);
  // The map pairs each kind with a strategy over that kind's own objects.
  return strategy as unknown as Strategy<T>;
}
