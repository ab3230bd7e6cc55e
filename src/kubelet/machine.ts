/** Reads what a Node object says about its machine. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import type { MachineFacts } from './node-status.ts';

/** `rootDir`: on the file system whose size is the node's ephemeral storage. */
export async function readMachine(rootDir: string): Promise<MachineFacts> {
  const [storage, osRelease, machineId, bootId] = await Promise.all([
    statfs(rootDir),
    text('/etc/os-release'),
    text('/etc/machine-id'),
    text('/proc/sys/kernel/random/boot_id'),
  ]);
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    storageBytes: storage.blocks * storage.bsize,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    machineId: machineId.trim(),
    bootId: bootId.trim(),
  };
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
