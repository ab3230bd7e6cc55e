/**
 * What a machine must have before `up` starts anything. Every complaint is one line that names the cause and the cure.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import type { ProxyMode } from './config.ts';
import { MAX_NODES, type Layout } from './layout.ts';

/** Program -> Debian package that brings it. */
const PROGRAMS: Record<string, string> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  'iptables-save': 'iptables',
  'iptables-restore': 'iptables',
  conntrack: 'conntrack',
  nft: 'nftables',
};
/** What only ipvs mode needs. */
const IPVS_PROGRAMS: Record<string, string> = { ipvsadm: 'ipvsadm', ipset: 'ipset' };
const FILES: Record<string, string> = {
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  '/usr/lib/cni/host-local': 'containernetworking-plugins',
};

/** Where a program is, or undefined. */
export function which(program: string, path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export interface Machine {
  readonly uid: number;
  has(program: string): boolean;
  exists(file: string): boolean;
  read(file: string): string;
}

export const thisMachine: Machine = {
  uid: process.getuid?.() ?? -1,
  has: (program) => which(program) !== undefined,
  exists: existsSync,
  read: (file) => readFileSync(file, 'utf8'),
};

/** Everything that is missing, as sentences. Pure over `machine`. */
export function checkMachine(machine: Machine, modes: readonly ProxyMode[] = []): string[] {
  const problems: string[] = [];
  if (machine.uid !== 0)
    return ['fairway up makes network namespaces and containers and needs root; run: sudo fairway up'];
  const packages = new Map<string, string[]>();
  const programs = { ...PROGRAMS, ...(modes.includes('ipvs') && IPVS_PROGRAMS) };
  for (const [program, pkg] of Object.entries(programs))
    if (!machine.has(program)) packages.set(pkg, [...(packages.get(pkg) ?? []), program]);
  for (const [file, pkg] of Object.entries(FILES))
    if (!machine.exists(file)) packages.set(pkg, [...(packages.get(pkg) ?? []), file]);
  for (const [pkg, missing] of packages)
    problems.push(`${missing.join(' and ')} not found: package ${pkg} is missing; run: make setup`);
  if (
    !machine
      .read('/proc/filesystems')
      .split('\n')
      .some((line) => line.endsWith('\toverlay'))
  )
    problems.push('the kernel has no overlay file system, which containers are built on; run: modprobe overlay');
  if (!machine.exists('/proc/self/ns/net'))
    problems.push('the kernel has no network namespaces (CONFIG_NET_NS); use another kernel');
  if (!machine.exists('/sys/fs/cgroup'))
    problems.push('no cgroups are mounted at /sys/fs/cgroup; mount them as your distribution does');
  return problems;
}

/** The longest path a socket may have. */
const SOCKET_PATH = 107;

/** Why a cluster cannot live in its folder. Pure. */
export function checkDataDir(layout: Layout): string[] {
  const problems: string[] = [];
  // overlayfs and bind mounts take these for separators, and so do container runtimes
  if (/[:,\\\s"']/.test(layout.dir))
    problems.push(`--data-dir ${dirname(layout.dir)}: must not hold blanks, quotes, backslashes, colons or commas`);
  const longest = Buffer.byteLength(`${layout.node(MAX_NODES).containerdSocket}.ttrpc`);
  if (longest > SOCKET_PATH)
    problems.push(
      `--data-dir ${dirname(layout.dir)}: too long by ${String(longest - SOCKET_PATH)} bytes, because sockets below it have paths of at most ${String(SOCKET_PATH)}; choose a shorter one or a shorter --name`,
    );
  return problems;
}

/** Bytes a new cluster needs: starter images, once as archives and once unpacked on each node. */
const SPACE = 200 * 1024 * 1024;

/** Makes the cluster's folder; why nothing can be kept there, as sentences. */
export function prepareDataDir({ dir }: Layout, isNew: boolean): string[] {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    accessSync(dir, constants.W_OK); // also root is refused on a read-only file system
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'it is not a folder' : messageOf(error);
    return [`--data-dir ${dirname(dir)} cannot be written to: ${why}; choose another one`];
  }
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  if (!isNew || free >= SPACE) return [];
  return [
    `only ${String(Math.floor(free / 2 ** 20))} MiB are free in ${dirname(dir)}, and a new cluster needs ${String(SPACE / 2 ** 20)}; make room, or choose another --data-dir`,
  ];
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Throws one line when `port` at `address` is taken. */
export async function checkPortFree(address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new Error(
              `port ${String(port)} on ${address} is taken by another program (see: ss -ltnp 'sport = :${String(port)}'); stop it and try again`,
            )
          : cause,
      );
    });
    server.listen(port, address, () => {
      server.close(() => {
        resolve();
      });
    });
  });
}
