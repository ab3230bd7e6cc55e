/** What only Pods get, not the templates they come from. */
import type { Core, Pod } from '../types.ts';
import { defaultPodSpec } from './pod-spec.ts';

export function defaultPod(pod: Pod): void {
  pod.spec = (pod.spec as Core.PodSpec | undefined) ?? { containers: [] };
  defaultPodSpec(pod.spec);
  pod.spec.enableServiceLinks ??= true;
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) requestLimits(container);
}

/** A limit without a request asks for as much as it may use. */
function requestLimits({ resources }: Core.Container): void {
  if (!resources?.limits) return;
  resources.requests ??= {};
  for (const [name, limit] of Object.entries(resources.limits)) resources.requests[name] ??= limit;
}
