/**
 * One path inside a volume, given to a container by `subPath`. The volume may be written by containers, so a name in it may be turned into a
 * link at any moment: the path is walked with open folders, no link is followed, and what was opened is bound to a place of our own.
 */
import { constants, type Stats } from 'node:fs';
import { chmod, mkdir, open, realpath, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Exec } from '../../host/exec.ts';
import { VolumeError } from '../parts.ts';

/** Linux's O_PATH, which Node does not name: the place itself, without reading it. */
const O_PATH = 0o10000000;

/** Binds `subPath` of the volume at `target`, which then is a file or a folder of the same kind. Throws VolumeError. */
export async function bindSubPath(
  volume: string,
  subPath: string,
  target: string,
  create: boolean,
  run: Exec,
): Promise<void> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (subPath.startsWith('/') || parts.includes('..') || subPath.includes('\0')) {
    throw new VolumeError(`subPath "${subPath}" must be a relative path without ".."`);
  }
  const root = await realpath(volume);
  const walk = await resolveInside(root, parts, subPath);
  const handles: FileHandle[] = [];
  try {
    let here = await openPlace(root, handles);
    const mode = (await here.stat()).mode & 0o7777;
    for (const part of walk) {
      const next = `/proc/self/fd/${String(here.fd)}/${part}`;
      here = await openPlace(next, handles).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT' || !create) throw error;
        await mkdir(next, { mode: 0o750 });
        await chmod(next, mode); // as open as the volume: who may write there may write here
        return openPlace(next, handles);
      });
      if ((await here.stat()).isSymbolicLink())
        throw new VolumeError(`subPath "${subPath}" changed while it was opened`);
    }
    await makePlace(target, await here.stat());
    const source = `/proc/${String(process.pid)}/fd/${String(here.fd)}`;
    await run('mount', ['--no-canonicalize', '--bind', source, target]);
  } catch (cause) {
    if (cause instanceof VolumeError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VolumeError(`failed to prepare subPath "${subPath}": ${why}`, { cause });
  } finally {
    for (const handle of handles) await handle.close();
  }
}

/** The parts from the root to the place, links resolved as far as things exist. Throws VolumeError when that leads out. */
async function resolveInside(root: string, parts: readonly string[], subPath: string): Promise<string[]> {
  let existing = parts.length;
  for (; existing > 0; existing--) {
    const path = await realpath(join(root, ...parts.slice(0, existing))).catch(() => undefined);
    if (path === undefined) continue;
    const inside = relative(root, path);
    if (inside === '..' || inside.startsWith('../')) {
      throw new VolumeError(`subPath "${subPath}" is not within its volume`);
    }
    return [...inside.split('/').filter((part) => part !== ''), ...parts.slice(existing)];
  }
  return [...parts];
}

async function openPlace(path: string, handles: FileHandle[]): Promise<FileHandle> {
  const handle = await open(path, O_PATH | constants.O_NOFOLLOW);
  handles.push(handle);
  return handle;
}

async function makePlace(target: string, kind: Stats): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  const present = await stat(target).catch(() => undefined);
  if (present) return;
  if (kind.isDirectory()) await mkdir(target, { mode: 0o750 });
  else await writeFile(target, '', { mode: 0o640 });
}
