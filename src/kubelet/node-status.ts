/** The Node object as its kubelet describes it. Pure; `node.ts` reads the machine and writes the object. */
import type { Core, Node } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';

export const KUBELET_VERSION = 'v1.36.2';
export const KUBELET_PORT = 10250;
const MAX_PODS = '110';

export interface MachineFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Size of the file system that holds the pods' files. */
  readonly storageBytes: number;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly architecture: 'amd64' | 'arm64' | (string & {});
  readonly machineId: string;
  readonly bootId: string;
}

export interface NodeFactsInput {
  readonly name: string;
  readonly ips: readonly string[];
  readonly machine: MachineFacts;
  /** `containerd://1.6.20` */
  readonly runtimeVersion: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, where not. */
  readonly message: string;
}

export function nodeLabels({ name, machine }: NodeFactsInput): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
  };
}

export function capacityOf({ cpus, memoryBytes, storageBytes }: MachineFacts): Record<string, string> {
  return {
    cpu: String(cpus),
    'ephemeral-storage': `${String(Math.floor(storageBytes / 1024))}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: `${String(Math.floor(memoryBytes / 1024))}Ki`,
    pods: MAX_PODS,
  };
}

export function nodeStatus(
  input: NodeFactsInput,
  readiness: Readiness,
  old: Node | undefined,
  now: number,
): Core.NodeStatus {
  const capacity = capacityOf(input.machine);
  const { kernelVersion, osImage, architecture, machineId, bootId } = input.machine;
  return {
    addresses: [
      ...input.ips.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: input.name },
    ],
    capacity,
    allocatable: capacity,
    conditions: conditionsOf(readiness, old, now),
    daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
    nodeInfo: {
      architecture,
      bootID: bootId,
      containerRuntimeVersion: input.runtimeVersion,
      kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: KUBELET_VERSION,
      machineID: machineId,
      operatingSystem: 'linux',
      osImage,
      systemUUID: machineId,
    },
  };
}

function conditionsOf({ ready, message }: Readiness, old: Node | undefined, now: number): Core.NodeCondition[] {
  const own = [
    fine('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    fine('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    fine('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    ready
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message },
  ];
  const types = own.map(({ type }) => type);
  const before = old?.status?.conditions ?? [];
  const at = timestamp(now);
  const mine = own.map((condition): Core.NodeCondition => {
    const same = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = same?.status === condition.status ? (same.lastTransitionTime ?? at) : at;
    return { ...condition, lastHeartbeatTime: at, lastTransitionTime };
  });
  return [...mine, ...before.filter(({ type }) => !types.includes(type))];
}

function fine(type: string, reason: string, message: string) {
  return { type, status: 'False', reason, message };
}

/** The same apart from heartbeat times: then it need not be sent before the next period. */
export function sameStatus(a: Core.NodeStatus | undefined, b: Core.NodeStatus): boolean {
  const plain = (status: Core.NodeStatus) =>
    JSON.stringify({
      addresses: status.addresses,
      capacity: status.capacity,
      nodeInfo: status.nodeInfo,
      conditions: (status.conditions ?? []).map(({ type, status: value, reason, message }) => [
        type,
        value,
        reason,
        message,
      ]),
    });
  return a !== undefined && plain(a) === plain(b);
}
