/**
 * Writes a set of files so that a reader sees either all old or all new ones: they lie in a folder of their own (`..TIME`), the link `..data`
 * leads there, and the names a container reads are links through `..data`. A change makes a new folder and moves the one link.
 */
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Payload } from './payload.ts';

const DATA = '..data';
const NEXT = '..data_tmp';

export interface WriteOptions {
  /** Group that owns the files, which then may read them (fsGroup). */
  readonly group?: number | undefined;
}

/** Brings `directory` (which must be there) to hold exactly the payload. Resolves to whether something had to change. */
export async function writePayload(directory: string, payload: Payload, options: WriteOptions = {}): Promise<boolean> {
  const current = await readlink(join(directory, DATA)).catch(() => undefined);
  if (current !== undefined && (await holds(join(directory, current), payload, options))) {
    await removeOthers(directory, current);
    await linkNames(directory, payload);
    return false;
  }
  const fresh = await mkdtemp(join(directory, `..${new Date().toISOString().replace(/[-:T]/g, '_').slice(0, 19)}.`));
  await chmod(fresh, 0o755);
  await own(fresh, options);
  for (const [path, file] of payload) {
    await makeParents(fresh, path, options);
    const target = join(fresh, path);
    await writeFile(target, file.content, { mode: 0o600 });
    await own(target, options);
    await chmod(target, modeOf(file.mode, options)); // after creation: the umask would take bits away
  }
  const next = join(directory, NEXT);
  await rm(next, { force: true });
  await symlink(basename(fresh), next);
  await rename(next, join(directory, DATA));
  await linkNames(directory, payload);
  await removeOthers(directory, basename(fresh));
  return true;
}

/** The group may read what the owner may. */
function modeOf(mode: number, { group }: WriteOptions): number {
  return group === undefined ? mode : mode | ((mode & 0o500) >> 3);
}

async function own(path: string, { group }: WriteOptions): Promise<void> {
  if (group !== undefined) await chown(path, 0, group);
}

async function makeParents(root: string, path: string, options: WriteOptions): Promise<void> {
  const parts = path.split('/').slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth++) {
    const folder = join(root, ...parts.slice(0, depth));
    await mkdir(folder, { mode: 0o755 }).catch(ignoreExisting);
    await chmod(folder, 0o755);
    await own(folder, options);
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function holds(folder: string, payload: Payload, options: WriteOptions): Promise<boolean> {
  const present = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!present) return false;
  const files = present.filter((entry) => entry.isFile());
  if (files.length !== payload.size) return false;
  for (const [path, file] of payload) {
    const full = join(folder, path);
    const same = await readFile(full).then(
      (content) => content.equals(file.content),
      () => false,
    );
    if (!same || ((await stat(full)).mode & 0o7777) !== modeOf(file.mode, options)) return false;
  }
  return true;
}

/** Links of the top names through `..data`; names that are gone lose theirs. */
async function linkNames(directory: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(directory)) {
    if (!name.startsWith('..') && !wanted.delete(name))
      await rm(join(directory, name), { recursive: true, force: true });
  }
  for (const name of wanted) await symlink(join(DATA, name), join(directory, name));
}

async function removeOthers(directory: string, keep: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('..') && name !== DATA && name !== keep) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}
