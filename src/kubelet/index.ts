/** The pure face of the kubelet. */
export { containersOf, graceSeconds, podTitle, restartPolicyOf } from './containers.ts';
export { planRoutes, podCIDRsOf, renderCniConfig, type HairpinMode } from './network.ts';
export { plan, type Action, type Plan, type PodState } from './plan.ts';
export { qosClassOf } from './qos.ts';
export { nextRestart, restartAt, type RestartState } from './restart.ts';
export { sandboxConfig } from './sandbox.ts';
export { computeStatus } from './status.ts';
