import { clusterIpScenarios } from './cluster-ip.ts';
import { endpointScenarios } from './endpoints.ts';
import { externalScenarios } from './external.ts';
import type { Scenario } from './scenario.ts';

export * from './scenario.ts';
export { loadScenario, packetsOf, type LoadedScenario } from './load.ts';

export const scenarios: readonly Scenario[] = [...clusterIpScenarios, ...externalScenarios, ...endpointScenarios];
