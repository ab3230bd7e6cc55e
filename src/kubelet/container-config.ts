/** What the runtime is told to make one container. Pure. */
import { join } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import type {
  ContainerConfig,
  ContainerSecurityContext,
  Image,
  LinuxResources,
  Mount,
  Namespaces,
  SeccompProfile,
} from '../host/cri/cri.ts';
import { containerHash, graceSeconds } from './containers.ts';
import { ContainerConfigError } from './parts.ts';
import type { ExpandVariables } from './parts.ts';
import { ANNOTATIONS, LABELS } from './runtime-view.ts';
import { containerLogPath, namespacesOf, podLabels, supplementalGroups } from './sandbox.ts';

export interface ContainerContext {
  /** How often the container has run before. */
  readonly restartCount: number;
  readonly imageRef: string;
  readonly env: readonly { name: string; value: string }[];
  readonly expand: ExpandVariables;
  readonly mounts: readonly Mount[];
  readonly resources: LinuxResources;
  /** Folder of the profiles that seccompProfile.localhostProfile names. */
  readonly seccompDir: string;
  /** The container whose processes this one is to see: an ephemeral container's target. */
  readonly targetId?: string;
}

export function containerConfig(pod: Pod, spec: Core.Container, context: ContainerContext): ContainerConfig {
  const variables = new Map(context.env.map(({ name, value }) => [name, value]));
  const expand = (text: string) => context.expand(text, variables);
  return {
    metadata: { name: spec.name, attempt: context.restartCount },
    image: context.imageRef,
    command: (spec.command ?? []).map(expand),
    args: (spec.args ?? []).map(expand),
    workingDir: spec.workingDir ?? '',
    envs: context.env.map(({ name, value }) => ({ key: name, value })),
    mounts: [...context.mounts],
    labels: { ...podLabels(pod), [LABELS.containerName]: spec.name },
    annotations: {
      [ANNOTATIONS.hash]: containerHash(spec),
      [ANNOTATIONS.restartCount]: String(context.restartCount),
      [ANNOTATIONS.terminationMessagePath]: spec.terminationMessagePath ?? '/dev/termination-log',
      [ANNOTATIONS.terminationMessagePolicy]: spec.terminationMessagePolicy ?? 'File',
      [ANNOTATIONS.podTerminationGracePeriod]: String(graceSeconds(pod)),
    },
    logPath: containerLogPath(spec.name, context.restartCount),
    stdin: spec.stdin === true,
    stdinOnce: spec.stdinOnce === true,
    tty: spec.tty === true,
    resources: context.resources,
    securityContext: securityContext(pod, spec, context),
  };
}

function securityContext(pod: Pod, spec: Core.Container, context: ContainerContext): ContainerSecurityContext {
  const { seccompDir, targetId } = context;
  const own = spec.securityContext ?? {};
  const { runAsUser, runAsGroup } = effectiveUser(pod, spec);
  const privileged = own.privileged === true;
  return {
    privileged,
    supplementalGroups: supplementalGroups(pod),
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsUser !== undefined && runAsGroup !== undefined && { runAsGroup }),
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    seccomp: seccompOf(own.seccompProfile ?? pod.spec.securityContext?.seccompProfile, privileged, seccompDir),
    ...((own.procMount === 'Unmasked' || privileged) && { maskedPaths: [], readonlyPaths: [] }),
    namespaces: withTarget(namespacesOf(pod), targetId),
  };
}

/** Where the pod's processes share a namespace, they are seen anyway. */
function withTarget(namespaces: Namespaces, targetId: string | undefined): Namespaces {
  return targetId === undefined || namespaces.pid !== 'CONTAINER'
    ? namespaces
    : { ...namespaces, pid: 'TARGET', targetId };
}

/** A container without a profile is unconfined, as it is without the kubelet's seccompDefault; a privileged one always is. */
function seccompOf(profile: Core.SeccompProfile | undefined, privileged: boolean, directory: string): SeccompProfile {
  if (privileged) return { type: 'Unconfined' };
  if (profile?.type === 'RuntimeDefault') return { type: 'RuntimeDefault' };
  if (profile?.type !== 'Localhost') return { type: 'Unconfined' };
  const name = profile.localhostProfile ?? '';
  if (name === '' || name.startsWith('/') || name.split('/').includes('..'))
    throw new ContainerConfigError(`localhostProfile "${name}" must be a path below the node's folder of profiles`);
  return { type: 'Localhost', path: join(directory, name) };
}

function effectiveUser(pod: Pod, spec: Core.Container) {
  const [own, shared] = [spec.securityContext ?? {}, pod.spec.securityContext ?? {}];
  return {
    runAsUser: own.runAsUser ?? shared.runAsUser,
    runAsGroup: own.runAsGroup ?? shared.runAsGroup,
    runAsNonRoot: own.runAsNonRoot ?? shared.runAsNonRoot,
  };
}

/** Throws ContainerConfigError where runAsNonRoot is asked for and the container would, or might, run as root. */
export function requireNonRoot(
  pod: Pod,
  spec: Core.Container,
  image: Pick<Image, 'uid' | 'username'> | undefined,
): void {
  const { runAsUser, runAsNonRoot } = effectiveUser(pod, spec);
  if (runAsNonRoot !== true) return;
  if (runAsUser === 0) throw new ContainerConfigError("container's runAsUser breaks non-root policy");
  if (runAsUser !== undefined) return;
  if (image?.uid !== undefined && image.uid !== 0) return;
  if (image?.uid === undefined && image !== undefined && image.username !== '') {
    const user = image.username;
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root`,
    );
  }
  throw new ContainerConfigError('container has runAsNonRoot and image will run as root');
}

/** Whether the container brings its own file at `path`, so that the kubelet must not put one there. */
export function mountsAt(spec: Core.Container, path: string): boolean {
  return (spec.volumeMounts ?? []).some(({ mountPath }) => mountPath === path);
}

export function propagationOf(mount: Core.VolumeMount): Mount['propagation'] {
  if (mount.mountPropagation === 'HostToContainer') return 'HOST_TO_CONTAINER';
  return mount.mountPropagation === 'Bidirectional' ? 'BIDIRECTIONAL' : 'PRIVATE';
}
