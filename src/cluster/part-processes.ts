/**
 * Which part of which cluster a process is, told from its command line. Records can be lost (`up` was killed before it wrote one, a
 * supervisor was killed and left what it supervised): then this is what keeps a part from running twice and lets `down` find everything.
 */
import { readlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { findProcesses, groupIdOf, isAlive, type ProcessId } from '../host/process.ts';
import type { Layout } from './layout.ts';
import type { ClusterState } from './state.ts';

/** `server`, `node01`, `node01-containerd`; undefined for a process that is no part of the cluster whose folder is `dir`. Pure. */
export function partOf(argv: readonly string[], dir: string): string | undefined {
  if (!argv.some((text) => text.includes(`${dir}/`))) return undefined;
  const supervise = argv.findIndex((text) => text.endsWith('/bin/supervise'));
  if (supervise >= 0) return argv[supervise + 1];
  const main = argv.findIndex((text) => text.endsWith('/src/main.ts'));
  if (main >= 0 && argv[main + 1] === 'server') return 'server';
  if (main >= 0 && argv[main + 1] === 'agent')
    return argv.flatMap((text) => /^--node-name=(.+)$/.exec(text)?.[1] ?? [])[0];
  if (basename(argv[0] ?? '') !== 'containerd') return undefined;
  const config = argv[argv.indexOf('--config') + 1] ?? '';
  return config.startsWith(`${dir}/nodes/`) ? `${basename(dirname(config))}-containerd` : undefined;
}

/** Every supervisor and part of this cluster, recorded or not. */
export function partProcesses(layout: Layout): ProcessId[] {
  return findProcesses((argv) => partOf(argv, layout.dir) !== undefined);
}

/** Those of them that belong to no supervisor that is on record and alive. */
export function strays(layout: Layout, state: ClusterState): ProcessId[] {
  const known = new Set(
    Object.values(state.processes)
      .filter(isAlive)
      .map(({ pid }) => pid),
  );
  return partProcesses(layout).filter(({ pid }) => !known.has(groupIdOf(pid) ?? pid));
}

/** The data directory from which the nodes of a cluster of this name run here, where that is another one than `layout`'s. */
export function runsFromElsewhere(layout: Layout): string | undefined {
  const { name } = layout;
  let found: string | undefined;
  findProcesses((argv, pid) => {
    if (!argv.some((text) => text.startsWith(`--net=/run/netns/fairway-${name}-node`)) || !sameMounts(pid))
      return false;
    for (const text of argv) {
      const dir = /^--data-dir=(.+)\/nodes\/node\d+$/.exec(text)?.[1];
      if (dir !== undefined && dir !== layout.dir && basename(dir) === name) found = dirname(dir);
    }
    return false;
  });
  return found;
}

/** /run/netns of another mount namespace is another folder. */
function sameMounts(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${String(pid)}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt');
  } catch {
    return false;
  }
}
