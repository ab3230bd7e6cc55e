/** Between the plain values of `cri.ts` and the messages of `runtime.proto`. Pure. */
import type {
  Container,
  ContainerConfig,
  ContainerSecurityContext,
  ContainerState,
  ContainerStatus,
  Image,
  Mount,
  Namespaces,
  RuntimeCondition,
  RuntimeVersion,
  Sandbox,
  SandboxConfig,
  RuntimeInfo,
  SandboxStatus,
} from './cri.ts';

export type WireVersion = RuntimeVersion;
export interface WireStatus {
  conditions: RuntimeCondition[];
}

type WireSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';

export interface WireSandbox extends Omit<Sandbox, 'state'> {
  state: WireSandboxState;
}

export interface WireSandboxStatus extends WireSandbox {
  network: { ip: string; additionalIps: { ip: string }[] } | null;
}

type WireContainerState = `CONTAINER_${ContainerState}`;

export interface WireContainer extends Omit<Container, 'state' | 'image' | 'sandboxId'> {
  podSandboxId: string;
  image: { image: string } | null;
  state: WireContainerState;
}

export interface WireContainerStatus extends Omit<ContainerStatus, 'state' | 'image' | 'mounts'> {
  image: { image: string } | null;
  state: WireContainerState;
  mounts: (Omit<Mount, 'propagation'> & { propagation: `PROPAGATION_${Mount['propagation']}` })[];
}

export interface WireImage extends Omit<Image, 'uid'> {
  uid: { value: number } | null;
}

/** CRI counts nanoseconds. */
function milliseconds(nanoseconds: number): number {
  return nanoseconds <= 0 ? 0 : Math.floor(nanoseconds / 1e6);
}

function sandboxState(state: WireSandboxState): Sandbox['state'] {
  return state === 'SANDBOX_READY' ? 'READY' : 'NOTREADY';
}

function containerState(state: WireContainerState): ContainerState {
  return state.slice('CONTAINER_'.length) as ContainerState;
}

export function sandbox(wire: WireSandbox): Sandbox {
  const { id, metadata, labels, annotations } = wire;
  return {
    id,
    metadata,
    state: sandboxState(wire.state),
    createdAt: milliseconds(wire.createdAt),
    labels,
    annotations,
  };
}

export function sandboxStatus(wire: WireSandboxStatus): SandboxStatus {
  const { ip = '', additionalIps = [] } = wire.network ?? {};
  return { ...sandbox(wire), ips: [ip, ...additionalIps.map((other) => other.ip)].filter((text) => text !== '') };
}

/** Verbose answers: `info` is JSON in the runtime's own shape, which is containerd's or one that says less. */
export interface WireInfo {
  readonly info: Readonly<Record<string, string>>;
}

interface ContainerdInfo {
  readonly pid?: unknown;
  readonly runtimeSpec?: {
    readonly linux?: { readonly namespaces?: readonly { readonly type?: unknown; readonly path?: unknown }[] };
    readonly mounts?: readonly { readonly destination?: unknown; readonly source?: unknown }[];
  };
}

export function runtimeInfo(info: WireInfo['info']): RuntimeInfo {
  let told: ContainerdInfo = {};
  try {
    told = JSON.parse(info['info'] ?? '{}') as ContainerdInfo;
  } catch {
    // Another runtime's: it says nothing that is understood here.
  }
  const { pid, runtimeSpec: { linux, mounts = [] } = {} } = told;
  const path = linux?.namespaces?.find(({ type }) => type === 'network')?.path;
  return {
    ...(typeof pid === 'number' && pid > 0 && { pid }),
    ...(typeof path === 'string' && path !== '' && { networkNamespace: path }),
    mounts: new Map(
      mounts.flatMap(({ destination, source }) =>
        typeof destination === 'string' && typeof source === 'string' ? [[destination, source] as const] : [],
      ),
    ),
  };
}

export function container(wire: WireContainer): Container {
  const { id, podSandboxId, metadata, imageRef, labels, annotations } = wire;
  const [image, state, createdAt] = [wire.image?.image ?? '', containerState(wire.state), milliseconds(wire.createdAt)];
  return { id, sandboxId: podSandboxId, metadata, image, imageRef, state, createdAt, labels, annotations };
}

export function containerStatus(wire: WireContainerStatus): ContainerStatus {
  const { id, metadata, imageRef, exitCode, reason, message, logPath, labels, annotations } = wire;
  const mounts = wire.mounts.map(({ containerPath, hostPath, readonly, propagation }) => ({
    containerPath,
    hostPath,
    readonly,
    propagation: propagation.slice('PROPAGATION_'.length) as Mount['propagation'],
  }));
  return {
    ...{ id, metadata, imageRef, exitCode, reason, message, logPath, labels, annotations, mounts },
    image: wire.image?.image ?? '',
    state: containerState(wire.state),
    createdAt: milliseconds(wire.createdAt),
    startedAt: milliseconds(wire.startedAt),
    finishedAt: milliseconds(wire.finishedAt),
  };
}

export function image(wire: WireImage): Image {
  const { id, repoTags, repoDigests, size, username } = wire;
  return { id, repoTags, repoDigests, size, username, ...(wire.uid && { uid: wire.uid.value }) };
}

export function sandboxConfig(config: SandboxConfig): object {
  const { metadata, hostname, logDirectory, labels, annotations, portMappings, cgroupParent, sysctls } = config;
  return {
    ...{ metadata, hostname, logDirectory, labels, annotations, portMappings },
    ...(config.dns && { dnsConfig: config.dns }),
    linux: {
      cgroupParent,
      sysctls,
      securityContext: { ...security(config.securityContext), ...namespaceOptions(config.namespaces) },
    },
  };
}

export function containerConfig(config: ContainerConfig): object {
  const { metadata, command, args, workingDir, envs, labels, annotations, logPath, stdin, stdinOnce, tty } = config;
  const { resources, securityContext: context } = config;
  return {
    ...{ metadata, command, args, workingDir, envs, labels, annotations, logPath, stdin, stdinOnce, tty },
    image: { image: config.image },
    mounts: config.mounts.map((mount) => ({ ...mount, propagation: `PROPAGATION_${mount.propagation}` })),
    linux: {
      resources,
      securityContext: {
        ...security(context),
        ...namespaceOptions(context.namespaces),
        ...(context.runAsUsername !== undefined && { runAsUsername: context.runAsUsername }),
        capabilities: { addCapabilities: context.addCapabilities, dropCapabilities: context.dropCapabilities },
        noNewPrivs: context.noNewPrivileges,
        seccomp: {
          profileType: context.seccomp.type,
          ...(context.seccomp.type === 'Localhost' && { localhostRef: context.seccomp.path }),
        },
        maskedPaths: context.maskedPaths ?? DEFAULT_MASKED_PATHS,
        readonlyPaths: context.readonlyPaths ?? DEFAULT_READONLY_PATHS,
      },
    },
  };
}

function security(
  context: Pick<
    ContainerSecurityContext,
    'privileged' | 'supplementalGroups' | 'readonlyRootfs' | 'runAsUser' | 'runAsGroup'
  >,
) {
  const { privileged, supplementalGroups, readonlyRootfs, runAsUser, runAsGroup } = context;
  return {
    ...{ privileged, supplementalGroups, readonlyRootfs },
    ...(runAsUser !== undefined && { runAsUser: { value: runAsUser } }),
    ...(runAsGroup !== undefined && { runAsGroup: { value: runAsGroup } }),
  };
}

function namespaceOptions(namespaces: Namespaces) {
  return { namespaceOptions: namespaces };
}

/** What the Default procMount hides: without these lists the runtime would hide nothing. */
const DEFAULT_MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const DEFAULT_READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
