/** Services and EndpointSlices -> the Plan of one node, all at once. */
import type { EndpointSlice, Service } from '../../api/types.ts';
import { Planner } from './planner.ts';
import type { Plan, PlanNode, PlanOptions } from './types.ts';

/** Decides every Kubernetes question once, for one family. Pure and total: a Service that cannot be expressed becomes a problem. */
export function plan(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions,
): Plan {
  const planner = new Planner(node, options);
  for (const service of services) planner.setService(service);
  for (const slice of slices) planner.setSlice(slice);
  return planner.update().plan;
}
