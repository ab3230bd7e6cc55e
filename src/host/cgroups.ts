/** Control groups below one name, in every hierarchy (v1, v2 and the mix of both): who is in them, and their removal. */
import { readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Mount points of all cgroup hierarchies. */
export function cgroupRoots(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  return mountinfo
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path !== '');
}

function foldersBelow(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
  return [...names.flatMap((name) => foldersBelow(join(folder, name))), folder];
}

/** Every folder of cgroup `name`, deepest first. */
export function cgroupFolders(name: string, roots = cgroupRoots()): string[] {
  return roots.flatMap((root) => foldersBelow(join(root, name)));
}

/** Pids in cgroup `name` and below it. */
export function processesIn(name: string, roots = cgroupRoots()): number[] {
  const pids = new Set<number>();
  for (const folder of cgroupFolders(name, roots)) {
    try {
      for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n'))
        if (pid !== '') pids.add(Number(pid));
    } catch {
      // the folder went away
    }
  }
  return [...pids];
}

/** Kills everything in cgroup `name` and removes its folders; resolves false when some are still busy after `ms`. */
export async function removeCgroup(name: string, ms = 3_000): Promise<boolean> {
  const end = Date.now() + ms;
  for (;;) {
    for (const pid of processesIn(name)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // already gone
      }
    }
    const folders = cgroupFolders(name);
    if (folders.length === 0) return true;
    for (const folder of folders) {
      try {
        rmdirSync(folder);
      } catch {
        // busy until its last process is reaped
      }
    }
    if (cgroupFolders(name).length === 0) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
