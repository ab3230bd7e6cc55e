/** The pure face of the controllers: decisions other parts may want to explain. */
export { planSubsets, sameSubsets, truncateSubsets } from './endpoint-subsets.ts';
export { planEndpoints } from './endpoints.ts';
export { planServiceSlices } from './endpoint-slice.ts';
export { isMirrored, mirrorGroups } from './endpoint-slice-mirroring.ts';
export { decideDependent } from './garbage-plan.ts';
export { evictionTime, planTaints } from './node-health.ts';
export { nextPodCidr } from './node-ipam.ts';
export { desiredSlices, hintsFor } from './slice-endpoints.ts';
export { planSlices } from './slice-plan.ts';
export { endpointPods, resolvePorts, selects } from './service-pods.ts';
