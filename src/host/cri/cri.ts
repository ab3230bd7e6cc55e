/**
 * The container runtime as the kubelet sees it: the calls of CRI (runtime.v1) that Fairway uses, with plain values.
 * `GrpcCri` speaks to containerd over its unix socket, `FakeCri` keeps everything in memory. Times are milliseconds since
 * the epoch, 0 where the runtime has none yet. Every call throws CriError.
 */
export interface Cri {
  version(): Promise<RuntimeVersion>;
  /** RuntimeReady and NetworkReady, as the runtime reports them. */
  status(): Promise<RuntimeCondition[]>;

  runPodSandbox(config: SandboxConfig): Promise<string>;
  /** Stops every container of the sandbox at once and gives its network back. Stopping twice, or one that is gone, is no error. */
  stopPodSandbox(id: string): Promise<void>;
  removePodSandbox(id: string): Promise<void>;
  podSandboxStatus(id: string): Promise<SandboxStatus>;
  /** Where the sandbox is on this machine; what the runtime does not tell is left out. */
  sandboxInfo(id: string): Promise<RuntimeInfo>;
  listPodSandboxes(): Promise<Sandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `timeoutSeconds`. Resolves when the container has ended. */
  stopContainer(id: string, timeoutSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  containerStatus(id: string): Promise<ContainerStatus>;
  containerInfo(id: string): Promise<RuntimeInfo>;
  listContainers(): Promise<Container[]>;
  /** Tells the runtime that the log file was renamed: it opens `logPath` anew. */
  reopenContainerLog(id: string): Promise<void>;

  /** Runs a command to its end; output is bounded by the runtime. 0 seconds is no timeout. Throws CriError DeadlineExceeded. */
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecOutput>;
  /** URL of the runtime's streaming server (plain HTTP on loopback) that serves this one request. */
  exec(request: StreamRequest & { command: readonly string[] }): Promise<string>;
  attach(request: StreamRequest): Promise<string>;
  /** `ports` are for WebSocket clients, who name them beforehand; SPDY clients name them as they go. */
  portForward(sandboxId: string, ports?: readonly number[]): Promise<string>;

  listImages(): Promise<Image[]>;
  imageStatus(image: string): Promise<Image | undefined>;
  /** Resolves to the reference (digest) of the image that is now present. */
  pullImage(image: string, auth?: RegistryAuth): Promise<string>;
  removeImage(image: string): Promise<void>;
  close(): void;
}

/** The gRPC status codes by name. */
export type CriCode =
  | 'Cancelled'
  | 'Unknown'
  | 'InvalidArgument'
  | 'DeadlineExceeded'
  | 'NotFound'
  | 'AlreadyExists'
  | 'PermissionDenied'
  | 'ResourceExhausted'
  | 'FailedPrecondition'
  | 'Aborted'
  | 'OutOfRange'
  | 'Unimplemented'
  | 'Internal'
  | 'Unavailable'
  | 'DataLoss'
  | 'Unauthenticated';

/** The runtime said no. `details` is its own text. */
export class CriError extends Error {
  override name = 'CriError';
  readonly call: string;
  readonly code: CriCode;
  readonly details: string;
  constructor(call: string, code: CriCode, details: string, cause?: unknown) {
    super(`${call}: ${code}: ${details}`, { cause });
    this.call = call;
    this.code = code;
    this.details = details;
  }
}

export function isCriNotFound(error: unknown): boolean {
  return error instanceof CriError && error.code === 'NotFound';
}

export interface RuntimeVersion {
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

export interface RuntimeCondition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface Identity {
  name: string;
  /** Starts at 0, one more for each try. */
  attempt: number;
}

export interface SandboxConfig {
  metadata: Identity & { namespace: string; uid: string };
  /** Empty for pods on the host's network. */
  hostname: string;
  /** The containers' `logPath` is relative to it. */
  logDirectory: string;
  /** undefined leaves the node's own resolv.conf. */
  dns?: { servers: string[]; searches: string[]; options: string[] };
  portMappings: { protocol: 'TCP' | 'UDP' | 'SCTP'; containerPort: number; hostPort: number; hostIp: string }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  cgroupParent: string;
  sysctls: Record<string, string>;
  namespaces: Namespaces;
  securityContext: SandboxSecurityContext;
}

/** `TARGET`: that of another container of the sandbox. */
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface Namespaces {
  network: 'POD' | 'NODE';
  pid: NamespaceMode;
  /** Whose, where one is TARGET. */
  targetId?: string;
  ipc: 'POD' | 'NODE';
}

export interface SandboxSecurityContext {
  privileged: boolean;
  supplementalGroups: number[];
  readonlyRootfs: boolean;
  runAsUser?: number;
  runAsGroup?: number;
}

export interface Sandbox {
  id: string;
  metadata: Identity & { namespace: string; uid: string };
  state: 'READY' | 'NOTREADY';
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface SandboxStatus extends Sandbox {
  /** Empty on the host's network and after the sandbox stopped; the first is the pod IP. */
  ips: string[];
}

/** What the runtime says of itself, beyond the interface; `pid` is as this process sees it. */
export interface RuntimeInfo {
  pid?: number;
  /** A path; absent on the network of the node. */
  networkNamespace?: string;
  /** Destination in the container -> path on the node. */
  mounts: ReadonlyMap<string, string>;
}

export interface ContainerConfig {
  metadata: Identity;
  /** Reference or name of a present image. */
  image: string;
  command: string[];
  args: string[];
  workingDir: string;
  envs: { key: string; value: string }[];
  mounts: Mount[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's logDirectory. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  resources: LinuxResources;
  securityContext: ContainerSecurityContext;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
}

/** 0 is unset for each. */
export interface LinuxResources {
  cpuPeriod: number;
  cpuQuota: number;
  cpuShares: number;
  memoryLimitInBytes: number;
  oomScoreAdj: number;
}

export interface ContainerSecurityContext extends SandboxSecurityContext {
  runAsUsername?: string;
  addCapabilities: string[];
  dropCapabilities: string[];
  noNewPrivileges: boolean;
  seccomp: SeccompProfile;
  /** undefined: the runtime's default masked and read-only paths of /proc; empty: none. */
  maskedPaths?: string[];
  readonlyPaths?: string[];
  namespaces: Namespaces;
}

/** `path` is absolute, on the node. */
export type SeccompProfile = { type: 'RuntimeDefault' | 'Unconfined' } | { type: 'Localhost'; path: string };

export type ContainerState = 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';

export interface Container {
  id: string;
  sandboxId: string;
  metadata: Identity;
  /** The name the container was created with. */
  image: string;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ContainerStatus extends Omit<Container, 'sandboxId'> {
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  /** For example Completed, Error, OOMKilled, StartError. */
  reason: string;
  message: string;
  logPath: string;
  mounts: Mount[];
}

export interface ExecOutput {
  stdout: Buffer;
  stderr: Buffer;
  exitCode: number;
}

export interface StreamRequest {
  containerId: string;
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  /** Must be false with `tty`. */
  stderr: boolean;
}

export interface Image {
  /** Digest of the image's configuration: `sha256:…`. */
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  /** The user the image wants, where it is a number. */
  uid?: number;
  username: string;
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  auth?: string;
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}
