/** What the pod worker is made of: its parts and the facts about its node. */
import type { Client } from '../client/client.ts';
import type { Cri } from '../host/cri/cri.ts';
import type { Core, Pod, Service } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type {
  EnvironmentContext,
  ExpandVariables,
  ImageManager,
  IsReadOnlyVolume,
  MakeEnvironment,
  MakePodDns,
  NodeDns,
  ObjectSource,
  PodDns,
  ProbeManager,
  RenderHostsFile,
  RunHandler,
  VolumeManager,
} from './parts.ts';
import { ephemeralContainersOf, isHostNetwork } from './containers.ts';
import type { DnsWarning } from './resolv-conf.ts';
import { currentSandbox } from './runtime-view.ts';
import type { RuntimePod } from './runtime-view.ts';

export type PodEvent = (
  pod: Pod,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
  containerName?: string,
) => void;

export interface PodContext {
  readonly client: Client;
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly event: PodEvent;
  /** A Warning on the Node itself. */
  readonly nodeWarning: (reason: string, message: string) => void;
  readonly volumes: VolumeManager;
  readonly isReadOnlyVolume: IsReadOnlyVolume;
  readonly images: ImageManager;
  readonly probes: ProbeManager;
  readonly makeEnvironment: MakeEnvironment;
  readonly expandVariables: ExpandVariables;
  readonly podDns: MakePodDns;
  /** What of a pod's resolver could not be as asked, as Warning events. */
  readonly dnsWarnings: (pod: Pod, node: NodeDns) => DnsWarning[];
  /** The node's own resolver as it is now: networks come and go under a running kubelet. */
  readonly hostDns: () => Promise<PodDns>;
  /** Text of the node's own /etc/hosts, as it is now. */
  readonly hostFile: () => Promise<string>;
  readonly renderHostsFile: RenderHostsFile;
  readonly runHandler: RunHandler;
  readonly objects: ObjectSource;
  /** Resolves when Services have been listed once (7-051). */
  readonly servicesSynced: Promise<void>;
  readonly services: () => readonly Service[];
  readonly node: NodeFacts;
}

export interface NodeFacts {
  readonly name: string;
  readonly ips: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
  readonly memoryCapacity: number;
  readonly dns: Omit<NodeDns, 'host'>;
  readonly rootDir: string;
  readonly podLogsDir: string;
  readonly cgroupRoot: string;
}

export function podIPsOf(context: PodContext, pod: Pod, runtime: RuntimePod): readonly string[] {
  if (isHostNetwork(pod)) return context.node.ips;
  return currentSandbox(runtime)?.ips ?? [];
}

export function environmentContext(context: PodContext, podIPs: readonly string[]): EnvironmentContext {
  const { node, objects } = context;
  const { name: nodeName, ips: hostIPs, allocatable } = node;
  return { objects, services: context.services(), nodeName, hostIPs, podIPs, allocatable };
}

/** Folder of one pod below the kubelet's root: its hosts file, termination messages and volumes. */
export function podDirectory(node: NodeFacts, uid: string): string {
  return `${node.rootDir}/pods/${uid}`;
}

export function specOf(pod: Pod, name: string): Core.Container | undefined {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...ephemeralContainersOf(pod)];
  return all.find((one) => one.name === name);
}
