/** Small questions about Pods that many parts ask. */
import type { Core, Pod } from './types.ts';
import { quantityValue } from './quantity.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export const podPhase = (pod: Pod): PodPhase => (pod.status?.phase as PodPhase | undefined) ?? 'Pending';

/** Succeeded or Failed: its containers will not run again (feature 2-003). */
export const isPodTerminal = (pod: Pod): boolean => ['Succeeded', 'Failed'].includes(podPhase(pod));

export function podCondition(pod: Pod, type: string): Core.PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

/** The Ready condition, readiness gates included (feature 2-007). */
export const isPodReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** All addresses, the primary one first; [] before there are any. */
export function podIps(pod: Pod): string[] {
  const ips = (pod.status?.podIPs ?? []).map((each) => each.ip ?? '').filter((ip) => ip !== '');
  if (ips.length > 0) return ips;
  return pod.status?.podIP ? [pod.status.podIP] : [];
}

/** spec.hostnameOverride (Kubernetes 1.34 on; the package of types is older); undefined where it says nothing. */
export function hostnameOverrideOf(spec: Core.PodSpec): string | undefined {
  return (spec as Core.PodSpec & { hostnameOverride?: string }).hostnameOverride || undefined;
}

/** A sidecar: an init container that keeps running. */
export const isRestartableInit = (container: Core.Container): boolean => container.restartPolicy === 'Always';

/** The class eviction goes by, from requests and limits of cpu and memory. */
export function podQosClass(spec: Core.PodSpec): 'BestEffort' | 'Burstable' | 'Guaranteed' {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const amount = (list: Record<string, string> | undefined, name: 'cpu' | 'memory') => quantityValue(list?.[name], 'm');
  const names = ['cpu', 'memory'] as const;
  const asksNothing = containers.every(({ resources }) =>
    names.every((name) => amount(resources?.requests, name) === 0 && amount(resources?.limits, name) === 0),
  );
  if (asksNothing) return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    names.every((name) => {
      const limit = amount(resources?.limits, name);
      return limit > 0 && limit === amount(resources?.requests ?? resources?.limits, name);
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** What the scheduler counts: the larger of all containers together and the largest init container. In millicores, bytes or plain numbers. */
export function podRequest(pod: Pod, resource: string): number {
  const unit = resource === 'cpu' ? 'm' : '';
  const of = (container: Core.Container) => quantityValue(container.resources?.requests?.[resource], unit);
  const inits = pod.spec.initContainers ?? [];
  const sidecars = inits.filter(isRestartableInit).reduce((sum, container) => sum + of(container), 0);
  const running = pod.spec.containers.reduce((sum, container) => sum + of(container), sidecars);
  const starting = inits
    .filter((container) => !isRestartableInit(container))
    .reduce((most, container) => Math.max(most, of(container) + sidecars), 0);
  return Math.max(running, starting) + quantityValue(pod.spec.overhead?.[resource], unit);
}
