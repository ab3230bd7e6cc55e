/**
 * What outlives a containerd that is stopped: its shims. They are found by the containerd socket on their command line, which is
 * a path of our own, and killed together with the socket files they leave behind.
 */
import { readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { findProcesses, signal, waitGone, type ProcessId } from './process.ts';

export function findShims(containerdSocket: string): ProcessId[] {
  return findProcesses(
    (argv) => basename(argv[0] ?? '').startsWith('containerd-shim') && argv.includes(containerdSocket),
  );
}

/** `/proc/PID/net/unix`: inode -> path of bound sockets. */
export function parseUnixSockets(text: string): Map<string, string> {
  const sockets = new Map<string, string>();
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [inode, path] = [fields[6], fields[7]];
    if (inode !== undefined && path?.startsWith('/')) sockets.set(inode, path);
  }
  return sockets;
}

function boundSockets({ pid }: ProcessId): string[] {
  try {
    const folder = `/proc/${String(pid)}/fd`;
    const sockets = parseUnixSockets(readFileSync(`/proc/${String(pid)}/net/unix`, 'utf8'));
    return readdirSync(folder).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${fd}`))?.[1];
      const path = inode === undefined ? undefined : sockets.get(inode);
      return path === undefined ? [] : [path];
    });
  } catch {
    return []; // it ended while we looked
  }
}

export async function killShims(containerdSocket: string): Promise<void> {
  const shims = findShims(containerdSocket);
  const files = shims.flatMap(boundSockets).filter((file) => file.startsWith('/run/containerd/'));
  for (const shim of shims) signal(shim, 'SIGKILL');
  await Promise.all(shims.map((shim) => waitGone(shim, 2_000)));
  for (const file of files) rmSync(file, { force: true });
}
