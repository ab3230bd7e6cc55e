/** What is remembered of a cluster between commands: its configuration, its number on this host, and which processes are its own. */
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  /** Which boot of the machine `processes` are of: after another one their numbers may be those of strangers. */
  readonly boot?: string;
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

export function readState(file: string): ClusterState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const state = asState(JSON.parse(readFileSync(file, 'utf8')));
    return state.boot === undefined || state.boot === bootId() ? state : { ...state, processes: {} };
  } catch (cause) {
    throw new Error(`${file} is not what fairway wrote; move it away and run: fairway down`, { cause });
  }
}

/** As much as is needed to be sure it is one of ours. */
function asState(value: unknown): ClusterState {
  const state = value as Partial<ClusterState> | null;
  if (!Number.isInteger(state?.index) || typeof state?.config !== 'object' || typeof state.processes !== 'object')
    throw new Error('index, config or processes is missing');
  return value as ClusterState;
}

export function writeState(file: string, state: ClusterState): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const next = `${file}.${String(process.pid)}`;
  writeFileSync(next, `${JSON.stringify({ ...state, boot: bootId() }, undefined, 2)}\n`);
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
  const holder = tryLock(layout.lockFile);
  if (holder !== undefined)
    throw new Error(
      `another fairway command (pid ${String(holder.pid)}) is changing cluster ${layout.name}; wait for it`,
    );
  try {
    return await work();
  } finally {
    rmSync(layout.lockFile, { force: true });
  }
}

const HOST_LOCK = '/run/fairway.lock';
const HOST_LOCK_MS = 20_000;

/** Waits until no other command looks for a free network on this host; call what it resolves to when done. */
export async function lockHost(): Promise<() => void> {
  const end = Date.now() + HOST_LOCK_MS;
  for (let holder = tryLock(HOST_LOCK); holder !== undefined; holder = tryLock(HOST_LOCK)) {
    if (Date.now() > end) throw new Error(`another fairway command (pid ${String(holder.pid)}) holds ${HOST_LOCK}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  let held = true;
  return () => {
    if (held) rmSync(HOST_LOCK, { force: true });
    held = false; // a second call must not take it from the next one
  };
}

/** Takes the lock, or returns who has it. A holder that is dead has nothing. */
function tryLock(lockFile: string): ProcessId | undefined {
  const own = `${lockFile}.${String(process.pid)}`;
  const self = identify(process.pid);
  writeFileSync(own, JSON.stringify(self));
  try {
    for (let attempt = 0; !takeLock(own, lockFile); attempt++) {
      const holder = lockHolder(lockFile);
      if (holder && isAlive(holder)) return holder;
      if (attempt > 3) return holder ?? self;
      // Renamed rather than removed: of several who see this only one succeeds.
      removeDeadLock(lockFile, `${own}.dead`);
    }
    return undefined;
  } finally {
    rmSync(own, { force: true });
  }
}

/** A link to a complete file: nobody can see a lock without its holder in it. */
function takeLock(own: string, lockFile: string): boolean {
  try {
    linkSync(own, lockFile);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function removeDeadLock(lockFile: string, aside: string): void {
  try {
    renameSync(lockFile, aside);
  } catch {
    return; // somebody else did
  }
  const holder = lockHolder(aside);
  // Taken anew between our look and our rename: give it back.
  if (holder && isAlive(holder)) takeLock(aside, lockFile);
  rmSync(aside, { force: true });
}

function lockHolder(file: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}
