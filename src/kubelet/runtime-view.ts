/**
 * What the runtime holds, arranged by pod. Pods are told apart by uid: a pod deleted and made again under the same name is another pod.
 */
import type { ContainerStatus, SandboxStatus } from '../host/cri/cri.ts';

export interface RuntimeContainer extends ContainerStatus {
  sandboxId: string;
}

export interface RuntimePod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Newest first. */
  readonly sandboxes: readonly SandboxStatus[];
  /** Newest first, those of every sandbox. */
  readonly containers: readonly RuntimeContainer[];
}

/** The keys under which other tools (crictl, log collectors) look, too. */
export const LABELS = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

export const ANNOTATIONS = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  podTerminationGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
} as const;

export function emptyRuntimePod(uid: string, name: string, namespace: string): RuntimePod {
  return { uid, name, namespace, sandboxes: [], containers: [] };
}

/** Everything that carries a pod's labels, by uid; what other programs made in the same runtime is left alone. */
export function groupByPod(
  sandboxes: readonly SandboxStatus[],
  containers: readonly RuntimeContainer[],
): Map<string, RuntimePod> {
  const pods = new Map<string, { sandboxes: SandboxStatus[]; containers: RuntimeContainer[] } & RuntimePod>();
  const of = (labels: Record<string, string>) => {
    const uid = labels[LABELS.podUid];
    if (uid === undefined) return undefined;
    const known = pods.get(uid);
    if (known) return known;
    const [name, namespace] = [labels[LABELS.podName] ?? '', labels[LABELS.podNamespace] ?? ''];
    const made = { uid, name, namespace, sandboxes: [], containers: [] };
    pods.set(uid, made);
    return made;
  };
  for (const sandbox of sandboxes) of(sandbox.labels)?.sandboxes.push(sandbox);
  for (const container of containers) of(container.labels)?.containers.push(container);
  for (const pod of pods.values()) {
    pod.sandboxes.sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt);
    pod.containers.sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt);
  }
  return pods;
}

export function currentSandbox(pod: RuntimePod): SandboxStatus | undefined {
  const newest = pod.sandboxes[0];
  return newest?.state === 'READY' ? newest : undefined;
}

/** The newest container of that name, in one sandbox where it is given. */
export function newestContainer(pod: RuntimePod, name: string, sandboxId?: string): RuntimeContainer | undefined {
  return pod.containers.find(
    (one) => one.metadata.name === name && (sandboxId === undefined || one.sandboxId === sandboxId),
  );
}

/** The one before the newest: `lastState`, and logs of `--previous`. */
export function previousContainer(pod: RuntimePod, name: string): RuntimeContainer | undefined {
  return pod.containers.filter((one) => one.metadata.name === name)[1];
}
