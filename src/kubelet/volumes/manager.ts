/**
 * The volumes of this node's pods. Everything lies under one folder, by pod uid and volume name; what holds secrets lies on a file system
 * in memory that the node has once, so that a pod costs no mount of its own.
 */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, rm, rmdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Core, Pod } from '../../api/types.ts';
import type { Client } from '../../client/client.ts';
import { exec, HostError, type Exec } from '../../host/exec.ts';
import { parseMountsBelow, unmountBelow } from '../../host/mounts.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { parseQuantity, type DownwardContext } from '../downward.ts';
import { VolumeError, type ObjectSource, type SubPathRequest, type VolumeManager } from '../parts.ts';
import { writePayload } from './atomic-writer.ts';
import { hostPath } from './host-path.ts';
import { isReadOnlyVolume, volumePayload } from './payload.ts';
import { bindSubPath } from './sub-path.ts';
import { createTokenSource, type TokenSource } from './tokens.ts';

export interface VolumeManagerOptions {
  /** The folder of all volumes of this node; made if need be, and never shared with another node. */
  readonly directory: string;
  readonly client: Pick<Client, 'create'>;
  readonly objects: ObjectSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs `mount` and `umount`. */
  readonly run?: Exec;
}

const MEMORY = '.memory';
const SUB_PATHS = '.subpaths';
/** f_type of tmpfs. */
const TMPFS = 0x01021994;

export function createVolumeManager(options: VolumeManagerOptions): VolumeManager {
  return new Volumes(options);
}

class Volumes implements VolumeManager {
  readonly #options: VolumeManagerOptions;
  readonly #run: Exec;
  readonly #tokens: TokenSource;
  /** The end of the work queued for a pod: its volumes are never worked on twice at a time. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #memory: Promise<string> | undefined;

  constructor(options: VolumeManagerOptions) {
    mkdirSync(options.directory, { recursive: true, mode: 0o750 });
    // The kernel's list of mounts has real paths, and what is mounted decides what may be removed.
    this.#options = { ...options, directory: realpathSync(options.directory) };
    this.#run = options.run ?? exec;
    this.#tokens = createTokenSource(options.client, options.clock);
  }

  async mountAll(pod: Pod, context: DownwardContext): Promise<Map<string, string>> {
    return await this.#alone(uidOf(pod), async () => {
      const volumes = pod.spec.volumes ?? [];
      const paths = await Promise.all(volumes.map((volume) => this.#mount(pod, volume, context)));
      return new Map(volumes.map((volume, index) => [volume.name, paths[index] ?? '']));
    });
  }

  async refresh(pod: Pod, context: DownwardContext): Promise<void> {
    return await this.#alone(uidOf(pod), async () => {
      const written = (pod.spec.volumes ?? []).filter(isReadOnlyVolume);
      const results = await Promise.allSettled(written.map((volume) => this.#mount(pod, volume, context)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    });
  }

  async subPath(request: SubPathRequest): Promise<string> {
    const { podUid, volume, container, index } = request;
    const target = join(this.#podFolder(podUid), SUB_PATHS, checked(volume), checked(container), String(index));
    return await this.#alone(podUid, async () => {
      // A container that starts again gets the volume as it is now, not as it was bound then.
      if (mountsBelow(target).length > 0) await unmountBelow(target, this.#run);
      await rm(target, { force: true }).catch(() => rmdir(target));
      await bindSubPath(request.volumePath, request.subPath, target, request.create, this.#run);
      return target;
    });
  }

  async cleanUp(podUid: string): Promise<void> {
    const folders = [this.#podFolder(podUid), join(this.#options.directory, MEMORY, checked(podUid))];
    return await this.#alone(podUid, async () => {
      this.#tokens.forget(podUid);
      for (const folder of folders) {
        if (mountsBelow(folder).length > 0) await unmountBelow(folder, this.#run);
        const left = mountsBelow(folder);
        // Removing below a mount would remove what is mounted: a hostPath of the node, say.
        if (left.length > 0) throw new VolumeError(`volumes of pod ${podUid} are still mounted: ${left.join(', ')}`);
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  async listPods(): Promise<string[]> {
    const list = (path: string) => readdir(path).catch((): string[] => []);
    const { directory } = this.#options;
    const names = [...(await list(directory)), ...(await list(join(directory, MEMORY)))];
    return [...new Set(names.filter((name) => !name.startsWith('.')))];
  }

  #alone<T>(podUid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(podUid) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#busy.set(podUid, mine);
    const forget = () => {
      if (this.#busy.get(podUid) === mine) this.#busy.delete(podUid);
    };
    mine.then(forget, forget);
    return mine;
  }

  #podFolder(podUid: string): string {
    return join(this.#options.directory, checked(podUid));
  }

  async #mount(pod: Pod, volume: Core.Volume, context: DownwardContext): Promise<string> {
    try {
      return await this.#mountOne(pod, volume, context);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${why}`, { cause });
    }
  }

  async #mountOne(pod: Pod, volume: Core.Volume, context: DownwardContext): Promise<string> {
    const name = checked(volume.name);
    const group = pod.spec.securityContext?.fsGroup;
    if (volume.hostPath) return hostPath(volume.hostPath);
    const folder = join(this.#podFolder(uidOf(pod)), name);
    if (volume.emptyDir || Object.keys(volume).length === 1) {
      return this.#emptyDir(folder, volume.emptyDir ?? {}, group);
    }
    if (!isReadOnlyVolume(volume)) throw new VolumeError(unsupported(volume));
    const secret = volume.secret !== undefined || volume.projected !== undefined;
    const path = secret ? join(await this.#memoryFolder(), uidOf(pod), name) : folder;
    const { objects } = this.#options;
    const payload = await volumePayload(pod, volume, { ...context, objects, token: this.#tokens.get });
    await mkdir(path, { recursive: true, mode: 0o750 });
    await chmod(path, 0o755);
    if (group !== undefined) await chown(path, 0, group);
    await writePayload(path, payload, { group });
    return path;
  }

  async #emptyDir(folder: string, { medium, sizeLimit }: Core.EmptyDirVolumeSource, group?: number): Promise<string> {
    const inMemory = medium === 'Memory';
    if (medium && !inMemory)
      throw new VolumeError(`emptyDir medium "${medium}" is not supported; there is "Memory" and the default`);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    if (inMemory && !mountsBelow(folder).includes(folder)) {
      await this.#run('mount', ['-t', 'tmpfs', '-o', tmpfsOptions(sizeLimit), 'tmpfs', folder]);
    }
    if (group !== undefined) await chown(folder, 0, group);
    await chmod(folder, group === undefined ? 0o777 : 0o2777);
    return folder;
  }

  /** The folder in memory that all secrets of this node's pods lie in. */
  #memoryFolder(): Promise<string> {
    this.#memory ??= this.#makeMemoryFolder().catch((error: unknown) => {
      this.#memory = undefined;
      throw error;
    });
    return this.#memory;
  }

  async #makeMemoryFolder(): Promise<string> {
    const folder = join(this.#options.directory, MEMORY);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    if ((await statfs(folder)).type === TMPFS) return folder;
    try {
      await this.#run('mount', ['-t', 'tmpfs', '-o', 'mode=0750,nosuid,nodev', 'tmpfs', folder]);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#options.log.warn(
        { folder, error: error.message },
        'secrets of pods lie on disk: no file system in memory can be mounted',
      );
    }
    return folder;
  }
}

function tmpfsOptions(sizeLimit: string | undefined): string {
  const bytes = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit);
  return bytes === undefined || bytes === 0n ? 'mode=0777' : `mode=0777,size=${String(bytes / 10n ** 9n)}`;
}

function mountsBelow(folder: string): string[] {
  return parseMountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), folder);
}

function uidOf(pod: Pod): string {
  return checked(pod.metadata.uid ?? '');
}

/** A name that becomes a part of a path. The API server has checked it; the disk is worth a second look. */
function checked(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/.test(name))
    throw new VolumeError(`"${name}" cannot be the name of a folder`);
  return name;
}

function unsupported(volume: Core.Volume): string {
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? '';
  if (volume.persistentVolumeClaim) {
    return `persistentVolumeClaim "${volume.persistentVolumeClaim.claimName}" cannot be mounted: this cluster has no volume provisioner; use emptyDir or hostPath`;
  }
  return `volumes of type ${kind} are not supported; there are emptyDir, configMap, secret, hostPath, downwardAPI and projected`;
}
