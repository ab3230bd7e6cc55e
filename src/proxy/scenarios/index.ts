import { clusterIpScenarios } from './cluster-ip.ts';
import { endpointScenarios } from './endpoints.ts';
import { externalScenarios } from './external.ts';
import { fieldScenarios } from './fields.ts';
import type { Scenario } from './scenario.ts';

export * from './scenario.ts';
export { expectedOf, loadScenario, packetsOf, type LoadedScenario, type Reading } from './load.ts';
export { inIPv6 } from './ipv6.ts';

export const scenarios: readonly Scenario[] = [
  ...clusterIpScenarios,
  ...externalScenarios,
  ...endpointScenarios,
  ...fieldScenarios,
];
