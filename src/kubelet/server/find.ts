/** From the names in a request to the pod and container on this node, or the answer that there is none. Pure. */
import type { Pod } from '../../api/types.ts';
import type { ContainerRecord, PodLookup } from '../parts.ts';
import type { PodPath } from './route.ts';

/** A refusal with its HTTP status; the message is the whole body. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Throws Refusal 404. */
export function findPod(pods: PodLookup, { namespace, name, uid }: PodPath): Pod {
  const pod = pods.get(namespace, name);
  if (!pod || (uid !== undefined && pod.metadata.uid !== uid)) throw new Refusal(404, `pod "${name}" not found`);
  return pod;
}

/** The container a log is read of. Throws Refusal: 404 where the pod has none of that name, 400 where it has not run yet. */
export function findLog(pods: PodLookup, path: PodPath, name: string, previous: boolean): ContainerRecord {
  const pod = findPod(pods, path);
  if (!specOf(pod, name)) {
    throw new Refusal(404, `container "${name}" not found in pod "${pod.metadata.name}"`);
  }
  const found = pods.container(pod.metadata.uid ?? '', name, previous);
  if (found && found.state !== 'CREATED') return found;
  const title = `container "${name}" in pod "${pod.metadata.name}"`;
  if (previous) throw new Refusal(400, `previous terminated ${title} not found`);
  const { status = {} } = pod;
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status;
  const all = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
  const waiting = all.find((one) => one.name === name)?.state?.waiting?.reason ?? 'ContainerCreating';
  throw new Refusal(400, `${title} is waiting to start: ${waiting}`);
}

/** A running container's id. Throws Refusal. */
export function findRunning(pods: PodLookup, path: PodPath, name: string): string {
  const pod = findPod(pods, path);
  const found = pods.container(pod.metadata.uid ?? '', name);
  if (!found) throw new Refusal(404, `container not found ("${name}")`);
  if (found.state !== 'RUNNING')
    throw new Refusal(400, `container "${name}" in pod "${pod.metadata.name}" is not running`);
  return found.id;
}

/** Whether the container's own process has a terminal. Throws Refusal. */
export function hasTerminal(pods: PodLookup, path: PodPath, name: string): boolean {
  return specOf(findPod(pods, path), name)?.tty === true;
}

function specOf(pod: Pod, name: string): { tty?: boolean } | undefined {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  return [...initContainers, ...containers, ...ephemeralContainers].find((spec) => spec.name === name);
}
