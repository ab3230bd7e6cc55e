/** Which sockets of a process take connections or datagrams, and how another process gets them: both must be in this network namespace. */
import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import type { Family } from '../lib/ip.ts';

/** `TCP 40001` -> the number of the descriptor there. */
export type ListeningSockets = ReadonlyMap<string, number>;

export const socketName = (protocol: string, port: number): string => `${protocol} ${String(port)}`;

/** States of `/proc/net`: of a TCP socket that listens, and of a UDP socket that is connected to nobody. */
const STATES = { TCP: '0A', UDP: '07' } as const;

/** Empty where the process is gone, or not ours to look at. */
export function listeningSockets(pid: number | 'self', family: Family): ListeningSockets {
  const names = new Map(socketsOfNetwork(family));
  const sockets = new Map<string, number>();
  for (const fd of descriptorsOf(pid)) {
    const name = names.get(inodeOf(pid, fd));
    if (name !== undefined) sockets.set(name, Number(fd));
  }
  return sockets;
}

/** Ports at which more than one socket takes what comes, whosever they are: the kernel deals out between them. As `TCP 40001`. */
export function sharedPorts(family: Family): ReadonlySet<string> {
  const names = socketsOfNetwork(family).map(([, name]) => name);
  const seen = new Set<string>();
  return new Set(names.filter((name) => seen.size === seen.add(name).size));
}

function socketsOfNetwork(family: Family): readonly [inode: string, name: string][] {
  return (['TCP', 'UDP'] as const).flatMap((protocol) => {
    const file = `/proc/self/net/${protocol.toLowerCase()}${family === 'IPv6' ? '6' : ''}`;
    const found = parseListening(readFileSync(file, 'utf8'), STATES[protocol]);
    return Array.from(found, ([inode, port]): [string, string] => [inode, socketName(protocol, port)]);
  });
}

/** Text of `/proc/net/tcp` or `udp` -> inode and port of the sockets in that state. */
export function* parseListening(text: string, state: string): Iterable<[inode: string, port: number]> {
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', , st, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (st === state) yield [inode, Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)];
  }
}

function descriptorsOf(pid: number | 'self'): readonly string[] {
  try {
    return readdirSync(`/proc/${String(pid)}/fd`);
  } catch {
    return [];
  }
}

function inodeOf(pid: number | 'self', fd: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${String(pid)}/fd/${fd}`))?.[1] ?? '';
  } catch {
    // closed meanwhile
    return '';
  }
}

/** The same numbers on every architecture. */
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;

/**
 * Descriptors of another process, as numbers of this one, in the order asked for; undefined for those that cannot be had. Takes Linux 5.6 and the rights
 * of a debugger; where one or the other, or koffi, is missing all are undefined.
 */
export function takeDescriptors(pid: number, fds: readonly number[]): readonly (number | undefined)[] {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
    const syscall = koffi.load(null).func('long syscall(long, ...)') as (...args: (number | string)[]) => number;
    const handle = syscall(PIDFD_OPEN, 'int', pid, 'uint', 0);
    if (handle < 0) return fds.map(() => undefined);
    const taken = fds.map((fd) => syscall(PIDFD_GETFD, 'int', handle, 'int', fd, 'uint', 0));
    closeSync(handle);
    return taken.map((fd) => (fd < 0 ? undefined : fd));
  } catch {
    return fds.map(() => undefined);
  }
}
