/**
 * What the pod worker needs from the other files of this folder, so that each can be written and tested against a fake of
 * the others. Types and errors only.
 */
import type { ConfigMap, Core, Pod, Secret, Service } from '../api/types.ts';

/** Reads of objects that pods refer to. `undefined` where the API server says NotFound; other failures throw. */
export interface ObjectSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

export interface EnvironmentContext {
  objects: ObjectSource;
  /** Services of every namespace, for the service variables (7-044..7-050); the pod worker waits until they are listed once (7-051). */
  services: readonly Service[];
  nodeName: string;
  /** The node's addresses: status.hostIP(s) of fieldRefs. */
  hostIPs: readonly string[];
  /** The pod's addresses: the node's for a hostNetwork pod. */
  podIPs: readonly string[];
  /** What resourceFieldRef answers for a limit that is not set. */
  allocatable: Readonly<Record<string, string>>;
}

/**
 * Variables in order, later ones may use earlier ones by $(NAME). Throws ContainerConfigError (a ConfigMap, a Secret or a key is missing).
 * `environment.ts` exports `makeEnvironment: MakeEnvironment` and `expandVariables: ExpandVariables`.
 */
export type MakeEnvironment = (
  pod: Pod,
  container: Core.Container,
  context: EnvironmentContext,
) => Promise<{ name: string; value: string }[]>;

/** `$(NAME)` becomes the value, `$$(NAME)` stays `$(NAME)`, an unknown name stays as it is. */
export type ExpandVariables = (text: string, variables: ReadonlyMap<string, string>) => string;

export interface NodeDns {
  clusterDns: readonly string[];
  clusterDomain: string;
  /** The node's own resolv.conf, parsed. */
  host: PodDns;
}

export interface PodDns {
  servers: string[];
  searches: string[];
  options: string[];
}

/** `resolv-conf.ts` exports `podDns: MakePodDns` (section 4.4) and `parseResolvConf(text): PodDns`. */
export type MakePodDns = (pod: Pod, node: NodeDns) => PodDns;

/** `hosts-file.ts` exports `renderHostsFile: RenderHostsFile`. `names` are those of `podNames`; `hostFile` is the node's /etc/hosts, used for hostNetwork pods. */
export type RenderHostsFile = (
  pod: Pod,
  podIPs: readonly string[],
  names: { hostname: string; domain: string },
  hostFile: string,
) => string;

/** `volumes/` exports `createVolumeManager(options): VolumeManager`. */
export interface VolumeManager {
  /** Brings every volume of the pod into being. Safe to repeat. Throws VolumeError; the pod then waits with event FailedMount. */
  mountAll(
    pod: Pod,
    context: Pick<EnvironmentContext, 'hostIPs' | 'podIPs' | 'nodeName' | 'allocatable'>,
  ): Promise<Map<string, string>>;
  /** Writes changed ConfigMaps, Secrets, downward API values and due tokens into mounted volumes. Called about once a minute per pod. */
  refresh(
    pod: Pod,
    context: Pick<EnvironmentContext, 'hostIPs' | 'podIPs' | 'nodeName' | 'allocatable'>,
  ): Promise<void>;
  /**
   * The path on the node of one `subPath` (already expanded) inside a mounted volume: made where it is missing, and bound so that a
   * symbolic link cannot lead out of the volume, now or later. `index` is the mount's place in the container. Throws VolumeError.
   */
  subPath(request: SubPathRequest): Promise<string>;
  /** Unmounts and removes everything of a pod that is gone. Safe to repeat. */
  cleanUp(podUid: string): Promise<void>;
  /** Uids of pods that have volumes on disk: after a restart some may belong to pods that are gone. */
  listPods(): Promise<string[]>;
}

export interface SubPathRequest {
  podUid: string;
  volume: string;
  /** Where `mountAll` said the volume is. */
  volumePath: string;
  container: string;
  index: number;
  subPath: string;
  /** Make a directory where nothing is: false for read-only kinds of volume. */
  create: boolean;
}

/** `volumes/` exports `isReadOnlyVolume: (volume) => boolean`: configMap, secret, downwardAPI and projected volumes are always mounted read-only. */
export type IsReadOnlyVolume = (volume: Core.Volume) => boolean;

/** `images.ts` exports `createImageManager({cri, event, clock, log, …}): ImageManager`. */
export interface ImageManager {
  /**
   * Makes sure the image of the container is present, by its imagePullPolicy, and resolves to what to create the container from
   * (imageRef). Emits Pulling, Pulled, Failed and BackOff events. Throws ImageError; it is called again on the next sync and
   * answers ImagePullBackOff until the back-off (10 s to 300 s per image) has passed.
   */
  ensure(pod: Pod, container: Core.Container): Promise<string>;
}

/** What a probe has concluded so far. `unknown` before the first conclusion. */
export type ProbeResult = 'success' | 'failure' | 'unknown';

export interface ProbeTarget {
  container: Core.Container;
  containerId: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
}

/** `probes/` exports `createProbeManager(options): ProbeManager`. Level-triggered: `sync` states which containers run, workers follow. */
export interface ProbeManager {
  /**
   * Workers of containers not in `running` end. With `terminating`, liveness and startup workers end and readiness ones go on (7-009).
   * `adopted` is true for containers found running at the agent's start: their first probe is spread over the period (7-007).
   */
  sync(
    pod: Pod,
    podIP: string,
    running: readonly ProbeTarget[],
    state: { terminating: boolean; adopted: boolean },
  ): void;
  /** Initial values where there is no worker or no conclusion yet: readiness failure, liveness success, startup unknown (7-003). */
  results(containerId: string): { startup: ProbeResult; readiness: ProbeResult; liveness: ProbeResult };
  remove(podUid: string): void;
  /** Called after a conclusion changed. */
  onResult(handler: (podUid: string) => void): void;
  stop(): void;
}

/** `probes/` exports `runHandler: RunHandler`; lifecycle hooks use it too. `sleep` waits. Never throws. */
export type RunHandler = (
  handler: Core.LifecycleHandler,
  target: { pod: Pod; container: Core.Container; containerId: string; podIP: string },
  timeoutMs: number,
) => Promise<{ ok: boolean; output: string }>;

/** What the kubelet's HTTPS server (`server/`, exports `runKubeletServer`) asks about pods. */
export interface PodLookup {
  /** With the newest status this kubelet has computed. */
  list(): Pod[];
  get(namespace: string, name: string): Pod | undefined;
  sandboxId(podUid: string): string | undefined;
  /** The newest container of that name (`previous`: the one before), running or ended. */
  container(podUid: string, containerName: string, previous?: boolean): ContainerRecord | undefined;
}

export interface ContainerRecord {
  id: string;
  name: string;
  state: 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';
  /** Absolute: <podLogsDir>/<namespace>_<name>_<uid>/<container>/<restartCount>.log */
  logPath: string;
}

/** A container cannot be created as asked: waiting.reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override name = 'ContainerConfigError';
}

/** A volume cannot be brought into being yet. `message` goes into the FailedMount event. */
export class VolumeError extends Error {
  override name = 'VolumeError';
}

/** The image is not there. `reason` and `message` become the container's waiting state. */
export class ImageError extends Error {
  override name = 'ImageError';
  readonly reason: ImageErrorReason;
  constructor(reason: ImageErrorReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

export type ImageErrorReason =
  'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName' | 'ImageInspectError';
