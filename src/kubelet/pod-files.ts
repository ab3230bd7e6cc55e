/** Files of one pod on the node: its /etc/hosts, the places for its last words, and where its volumes show up in a container. */
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import type { Mount } from '../host/cri/cri.ts';
import { mountsAt, propagationOf } from './container-config.ts';
import { isHostNetwork } from './containers.ts';
import { ContainerConfigError } from './parts.ts';
import { podDirectory } from './pod-context.ts';
import type { PodContext } from './pod-context.ts';
import { podNames } from './pod-names.ts';

export interface MountRequest {
  readonly pod: Pod;
  readonly spec: Core.Container;
  readonly podIPs: readonly string[];
  readonly restartCount: number;
  /** Volume name to host path. */
  readonly volumes: ReadonlyMap<string, string>;
  readonly expand: (text: string) => string;
}

/** Throws ContainerConfigError where a mount cannot be what the spec asks for. */
export async function prepareMounts(context: PodContext, request: MountRequest): Promise<Mount[]> {
  const { pod, spec } = request;
  const mounts: Mount[] = [];
  for (const index of (spec.volumeMounts ?? []).keys()) mounts.push(await volumeMount(context, request, index));
  if (!mountsAt(spec, '/etc/hosts')) mounts.push(own('/etc/hosts', await writeHostsFile(context, pod, request.podIPs)));
  const lastWords = spec.terminationMessagePath ?? '/dev/termination-log';
  if (lastWords !== '') mounts.push(own(lastWords, await makeLastWordsFile(context, request)));
  return mounts;
}

function own(containerPath: string, hostPath: string): Mount {
  return { containerPath, hostPath, readonly: false, propagation: 'PRIVATE' };
}

async function volumeMount(context: PodContext, request: MountRequest, index: number): Promise<Mount> {
  const { pod, spec, volumes, expand } = request;
  const mount = (spec.volumeMounts ?? [])[index];
  const volumePath = mount && volumes.get(mount.name);
  if (mount === undefined || volumePath === undefined)
    throw new ContainerConfigError(`cannot find volume "${mount?.name ?? ''}" to mount into container "${spec.name}"`);
  const subPath = mount.subPathExpr === undefined ? (mount.subPath ?? '') : expand(mount.subPathExpr);
  const volume = (pod.spec.volumes ?? []).find(({ name }) => name === mount.name);
  const fixed = volume !== undefined && context.isReadOnlyVolume(volume);
  const [podUid, container] = [pod.metadata.uid ?? '', spec.name];
  const within = { podUid, volume: mount.name, volumePath, container, index, subPath, create: !fixed };
  return {
    containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
    hostPath: subPath === '' ? volumePath : await context.volumes.subPath(within),
    readonly: mount.readOnly === true || fixed,
    propagation: propagationOf(mount),
  };
}

async function writeHostsFile(context: PodContext, pod: Pod, podIPs: readonly string[]): Promise<string> {
  const { node } = context;
  const directory = podDirectory(node, pod.metadata.uid ?? '');
  const names = podNames(pod, node.dns.clusterDomain);
  const hosts = isHostNetwork(pod) ? { hostname: node.name, domain: '' } : names;
  const path = join(directory, 'etc-hosts');
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await writeFile(path, context.renderHostsFile(pod, podIPs, hosts, await context.hostFile()), { mode: 0o644 });
  return path;
}

/** Writable by whatever user the container runs as. */
async function makeLastWordsFile(context: PodContext, { pod, spec, restartCount }: MountRequest): Promise<string> {
  const directory = join(podDirectory(context.node, pod.metadata.uid ?? ''), 'containers', spec.name);
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const path = join(directory, `${String(restartCount)}.termination`);
  await using file = await open(path, 'w');
  await file.chmod(0o666);
  return path;
}

export async function removePodFiles(context: PodContext, uid: string, logDirectory: string): Promise<void> {
  await rm(podDirectory(context.node, uid), { recursive: true, force: true });
  await rm(logDirectory, { recursive: true, force: true });
}
