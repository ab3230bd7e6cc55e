/** What is remembered of a cluster between commands: its configuration, its number on this host, and which processes are its own. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identify, isAlive, type ProcessId } from '../host/process.ts';
import type { ClusterConfig } from './config.ts';
import type { Layout } from './layout.ts';

export interface ProcessRecord extends ProcessId {
  /** The command it was started with: another one means it must be started anew. */
  readonly command: readonly string[];
}

export interface ClusterState {
  readonly version: 1;
  readonly index: number;
  readonly config: ClusterConfig;
  /** By part: server, node01, node01-containerd. */
  readonly processes: Readonly<Record<string, ProcessRecord>>;
  /** net.ipv4.ip_forward before --egress changed it. */
  readonly forwardingBefore?: string;
}

export function readState(file: string): ClusterState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ClusterState;
  } catch (cause) {
    throw new Error(`${file} cannot be read as JSON; move it away and run: fairway down`, { cause });
  }
}

export function writeState(file: string, state: ClusterState): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const next = `${file}.${String(process.pid)}`;
  writeFileSync(next, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(next, file);
}

/** Names of the clusters a data directory knows. */
export function listClusters(dataDir: string): string[] {
  try {
    return readdirSync(dataDir)
      .filter((name) => existsSync(join(dataDir, name, 'state.json')))
      .sort();
  } catch {
    return [];
  }
}

/** Runs `work` while no other command changes the same cluster. Throws when another one does. */
export async function withLock<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  mkdirSync(layout.dir, { recursive: true, mode: 0o755 });
  for (let attempt = 0; ; attempt++) {
    try {
      const self = identify(process.pid);
      writeFileSync(layout.lockFile, JSON.stringify(self), { flag: 'wx' });
      break;
    } catch (cause) {
      const holder = lockHolder(layout.lockFile);
      if (holder && isAlive(holder))
        throw new Error(
          `another fairway command (pid ${String(holder.pid)}) is changing cluster ${layout.name}; wait for it`,
          { cause },
        );
      if (attempt > 3) throw cause;
      rmSync(layout.lockFile, { force: true }); // its holder is dead
    }
  }
  try {
    return await work();
  } finally {
    rmSync(layout.lockFile, { force: true });
  }
}

function lockHolder(file: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}
