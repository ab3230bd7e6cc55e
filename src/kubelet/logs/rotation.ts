/**
 * Keeps the logs of running containers small: past 10 MiB a log is renamed, the runtime told to open a new one, and older ones compressed;
 * five files are kept in all (the kubelet's containerLogMaxSize and containerLogMaxFiles).
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Cri } from '../../host/cri/cri.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

export interface RotationOptions {
  readonly cri: Pick<Cri, 'reopenContainerLog'>;
  /** Running containers and their log files. */
  readonly containers: () => readonly { id: string; logPath: string }[];
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes. */
  readonly maxSize?: number;
  /** The one being written included. */
  readonly maxFiles?: number;
  /** Milliseconds between looks. */
  readonly interval?: number;
}

const TEN_MIB = 10 * 1024 * 1024;

export function startLogRotation(options: RotationOptions): { stop(): Promise<void> } {
  const { clock, log, interval = 10_000 } = options;
  let cancel: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const schedule = () => {
    cancel = clock.after(interval, look, true);
  };
  const look = () => {
    running = rotateAll(options)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'container logs could not be rotated');
      })
      .then(() => {
        if (!stopped) schedule();
      });
  };
  schedule();
  return {
    async stop() {
      stopped = true;
      cancel?.();
      await running;
    },
  };
}

/** One look at every log. A log that cannot be rotated is told of and does not keep others from it. */
export async function rotateAll(options: RotationOptions): Promise<void> {
  const { containers, log, maxSize = TEN_MIB } = options;
  for (const { id, logPath } of containers()) {
    const size = await stat(logPath).then(
      (stats) => stats.size,
      () => 0,
    );
    if (size < maxSize) continue;
    await rotate(options, id, logPath).catch((error: unknown) => {
      log.warn({ err: error, container: id, logPath }, 'a container log could not be rotated');
    });
  }
}

async function rotate({ cri, clock, maxFiles = 5 }: RotationOptions, id: string, path: string): Promise<void> {
  const older = (await rotated(path)).slice(0, Math.max(0, maxFiles - 2));
  for (const name of await rotated(path)) if (!older.includes(name)) await rm(name, { force: true });
  for (const name of older) if (!name.endsWith('.gz')) await compress(name);
  const moved = `${path}.${new Date(clock.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`;
  await rename(path, moved);
  try {
    await cri.reopenContainerLog(id);
  } catch (error) {
    await rename(moved, path); // the runtime still writes to it
    throw error;
  }
}

/** Rotated files of a log, the newest first. */
async function rotated(path: string): Promise<string[]> {
  const directory = dirname(path);
  const shape = new RegExp(`^${RegExp.escape(basename(path))}\\.\\d{8}-\\d{6}(\\.gz)?$`);
  const names = (await readdir(directory)).filter((name) => shape.test(name));
  return names
    .sort()
    .reverse()
    .map((name) => join(directory, name));
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
    await rename(temporary, `${path}.gz`);
    await rm(path);
  } finally {
    await rm(temporary, { force: true });
  }
}
