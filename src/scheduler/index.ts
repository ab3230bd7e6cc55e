/** The pure face of the scheduler: where a Pod would go, and why not elsewhere. */
export { ClusterState, type NodeState } from './cluster-state.ts';
export { decide, failureMessage, type Decision } from './decide.ts';
export { problemsOf } from './filters.ts';
export type { Surroundings } from './pod-affinity.ts';
export { podRequests } from './resources.ts';
