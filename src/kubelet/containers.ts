/** The containers of a pod and what their spec says about how they live. Pure. */
import { fnv1a32 } from '../lib/hash.ts';
import type { Core, Pod } from '../api/types.ts';
import type { RestartPolicy } from './restart.ts';

/** `init` runs to its end before the next; `sidecar` is an init container with restartPolicy Always (KEP-753); `main` the rest. */
export type ContainerRole = 'init' | 'sidecar' | 'main';

export interface PodContainer {
  readonly role: ContainerRole;
  readonly spec: Core.Container;
}

/** In the order they start: init containers and sidecars, then the main ones. */
export function containersOf(pod: Pod): PodContainer[] {
  const init = (pod.spec.initContainers ?? []).map(
    (spec) => ({ role: isSidecar(spec) ? 'sidecar' : 'init', spec }) as const,
  );
  return [...init, ...pod.spec.containers.map((spec) => ({ role: 'main', spec }) as const)];
}

/** Those that were added to look into the pod while it runs (KEP-277): each runs once, and nothing waits for it. */
export function ephemeralContainersOf(pod: Pod): Core.Container[] {
  return (pod.spec.ephemeralContainers ?? []) as Core.Container[];
}

export function isSidecar(spec: Core.Container): boolean {
  return spec.restartPolicy === 'Always';
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  const policy = pod.spec.restartPolicy;
  return policy === 'Never' || policy === 'OnFailure' ? policy : 'Always';
}

/** What of a container may change while its pod lives; another hash means it must be made anew. */
export function containerHash(spec: Core.Container): string {
  return fnv1a32(`${spec.name}\n${spec.image ?? ''}`).toString(16);
}

/** Seconds a pod gets to end: the running deletion's, else the spec's (7-028). */
export function graceSeconds(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

/** `hostnames_default(9c7b…)`: how the kubelet's messages name a pod. */
export function podTitle(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid ?? ''})`;
}

export function isHostNetwork(pod: Pod): boolean {
  return pod.spec.hostNetwork === true;
}

/** `spec.containers{web}`: the fieldPath of events about one container. */
export function fieldPath(pod: Pod, name: string): string {
  const lists = ['containers', 'ephemeralContainers'] as const;
  const list = lists.find((each) => (pod.spec[each] ?? []).some((one) => one.name === name));
  return `spec.${list ?? 'initContainers'}{${name}}`;
}
