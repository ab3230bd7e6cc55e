/** The sandbox of a pod: what the runtime is told about everything its containers share. Pure. */
import { join } from 'node:path';
import type { Pod } from '../api/types.ts';
import type { Namespaces, SandboxConfig } from '../host/cri/cri.ts';
import { containersOf, ephemeralContainersOf, isHostNetwork } from './containers.ts';
import type { PodDns } from './parts.ts';
import { kernelHostname, podNames } from './pod-names.ts';
import { LABELS } from './runtime-view.ts';

export interface SandboxContext {
  readonly podLogsDir: string;
  /** Parent of the pods' control groups: /fairway-<cluster>/<node>. */
  readonly cgroupRoot: string;
  readonly clusterDomain: string;
  readonly dns: PodDns;
}

/** @throws HostnameTooLong */
export function sandboxConfig(pod: Pod, attempt: number, context: SandboxContext): SandboxConfig {
  const { name, namespace = '', uid = '' } = pod.metadata;
  const security = pod.spec.securityContext ?? {};
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: isHostNetwork(pod) ? '' : kernelHostname(pod, podNames(pod, context.clusterDomain)),
    logDirectory: podLogDirectory(context.podLogsDir, pod),
    dns: context.dns,
    portMappings: isHostNetwork(pod) ? [] : portMappings(pod),
    labels: { ...pod.metadata.labels, ...podLabels(pod) },
    annotations: { ...pod.metadata.annotations },
    cgroupParent: podCgroup(context.cgroupRoot, uid),
    sysctls: Object.fromEntries((security.sysctls ?? []).map((one) => [one.name, one.value])),
    namespaces: namespacesOf(pod),
    securityContext: {
      privileged: holdsPrivileged(pod),
      supplementalGroups: supplementalGroups(pod),
      readonlyRootfs: false,
      ...(security.runAsUser !== undefined && { runAsUser: security.runAsUser }),
      ...(security.runAsUser !== undefined && security.runAsGroup !== undefined && { runAsGroup: security.runAsGroup }),
    },
  };
}

/** The runtime starts a privileged container, also an init or debug one, only for a sandbox that is said to be privileged. */
function holdsPrivileged(pod: Pod): boolean {
  const all = [...containersOf(pod).map(({ spec }) => spec), ...ephemeralContainersOf(pod)];
  return all.some(({ securityContext }) => securityContext?.privileged === true);
}

export function podLabels(pod: Pod): Record<string, string> {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return { [LABELS.podName]: name, [LABELS.podNamespace]: namespace, [LABELS.podUid]: uid };
}

/** <podLogsDir>/<namespace>_<name>_<uid> */
export function podLogDirectory(podLogsDir: string, pod: Pod): string {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return join(podLogsDir, `${namespace}_${name}_${uid}`);
}

/** Relative to the pod's log directory. */
export function containerLogPath(containerName: string, restartCount: number): string {
  return `${containerName}/${String(restartCount)}.log`;
}

export function podCgroup(cgroupRoot: string, uid: string): string {
  return join('/', cgroupRoot, `pod${uid}`);
}

export function namespacesOf(pod: Pod): Namespaces {
  const { hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  return {
    network: isHostNetwork(pod) ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: hostIPC ? 'NODE' : 'POD',
  };
}

export function supplementalGroups(pod: Pod): number[] {
  const { supplementalGroups: groups = [], fsGroup } = pod.spec.securityContext ?? {};
  return [...new Set(fsGroup === undefined ? groups : [...groups, fsGroup])];
}

function portMappings(pod: Pod): SandboxConfig['portMappings'] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ protocol, containerPort, hostPort, hostIP }) =>
      hostPort === undefined || hostPort === 0
        ? []
        : [{ protocol: protocolOf(protocol), containerPort, hostPort, hostIp: hostIP ?? '' }],
    ),
  );
}

function protocolOf(text: string | undefined): 'TCP' | 'UDP' | 'SCTP' {
  return text === 'UDP' || text === 'SCTP' ? text : 'TCP';
}
