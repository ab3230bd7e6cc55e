/** hostPath volumes: a path of the node, checked against the type the pod names. */
import { mkdir, open, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { Core } from '../../api/types.ts';
import { VolumeError } from '../parts.ts';

const kinds: Record<string, { is: (stats: Stats) => boolean; title: string }> = {
  Directory: { is: (stats) => stats.isDirectory(), title: 'a directory' },
  File: { is: (stats) => stats.isFile(), title: 'a file' },
  Socket: { is: (stats) => stats.isSocket(), title: 'a socket file' },
  CharDevice: { is: (stats) => stats.isCharacterDevice(), title: 'a character device' },
  BlockDevice: { is: (stats) => stats.isBlockDevice(), title: 'a block device' },
};

/** The path, made where the type says so. Throws VolumeError when it is not what the type says. */
export async function hostPath({ path, type = '' }: Core.HostPathVolumeSource): Promise<string> {
  if (!path.startsWith('/') || path.split('/').includes('..')) {
    throw new VolumeError(`hostPath "${path}" must be an absolute path without ".."`);
  }
  if (type === '') return path;
  const create = type.endsWith('OrCreate');
  const kind = kinds[create ? type.slice(0, -'OrCreate'.length) : type];
  if (!kind) throw new VolumeError(`hostPath type "${type}" is unknown`);
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 }).catch(failed(path));
  if (type === 'FileOrCreate') {
    const file = await open(path, 'a', 0o644).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EISDIR') failed(path)(error);
    });
    await file?.close();
  }
  const stats = await stat(path).catch(() => undefined);
  if (!stats || !kind.is(stats)) throw new VolumeError(`hostPath type check failed: ${path} is not ${kind.title}`);
  return path;
}

function failed(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new VolumeError(
      `hostPath ${path} cannot be created: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  };
}
