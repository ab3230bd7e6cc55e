/** Files of one pod on the node: its /etc/hosts, the places for its last words, and where its volumes show up in a container. */
import { mkdir, open, realpath, rm, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import type { Mount } from '../host/cri/cri.ts';
import { mountsAt, propagationOf } from './container-config.ts';
import { isHostNetwork } from './containers.ts';
import { ContainerConfigError } from './parts.ts';
import { podDirectory } from './pod-context.ts';
import type { PodContext } from './pod-context.ts';
import { podNames } from './sandbox.ts';

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
  for (const mount of spec.volumeMounts ?? []) mounts.push(await volumeMount(request, mount));
  if (!mountsAt(spec, '/etc/hosts')) mounts.push(own('/etc/hosts', await writeHostsFile(context, pod, request.podIPs)));
  const lastWords = spec.terminationMessagePath ?? '/dev/termination-log';
  if (lastWords !== '') mounts.push(own(lastWords, await makeLastWordsFile(context, request)));
  return mounts;
}

function own(containerPath: string, hostPath: string): Mount {
  return { containerPath, hostPath, readonly: false, propagation: 'PRIVATE' };
}

async function volumeMount({ volumes, expand, spec }: MountRequest, mount: Core.VolumeMount): Promise<Mount> {
  const volume = volumes.get(mount.name);
  if (volume === undefined)
    throw new ContainerConfigError(`cannot find volume "${mount.name}" to mount into container "${spec.name}"`);
  const subPath = mount.subPathExpr === undefined ? (mount.subPath ?? '') : expand(mount.subPathExpr);
  return {
    containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
    hostPath: subPath === '' ? volume : await withinVolume(volume, subPath),
    readonly: mount.readOnly === true,
    propagation: propagationOf(mount),
  };
}

/** The path below the volume, made if need be. Links that lead out of the volume are refused: their target is the container's choice. */
async function withinVolume(volume: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..'))
    throw new ContainerConfigError(`subPath "${subPath}" must be a relative path without ".."`);
  const root = await realpath(volume);
  const inside = (path: string) => path === root || path.startsWith(root + sep);
  let known = root;
  for (const part of subPath.split('/').filter((one) => one !== '' && one !== '.')) {
    const next = join(known, part);
    known = await realpath(next).catch(async () => {
      await mkdir(next, { mode: 0o750 });
      return next;
    });
    if (!inside(known)) throw new ContainerConfigError(`subPath "${subPath}" is not within its volume`);
  }
  return known;
}

async function writeHostsFile(context: PodContext, pod: Pod, podIPs: readonly string[]): Promise<string> {
  const { node } = context;
  const directory = podDirectory(node, pod.metadata.uid ?? '');
  const names = podNames(pod, node.dns.clusterDomain);
  const hosts = isHostNetwork(pod) ? { hostname: node.name, domain: '' } : names;
  const path = join(directory, 'etc-hosts');
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await writeFile(path, context.renderHostsFile(pod, podIPs, hosts, node.hostFile), { mode: 0o644 });
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
