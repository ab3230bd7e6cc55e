/**
 * Keeps the sockets of relays open from the end of one proxy to the begin of the next, however it ended: a process of `sh` that does nothing but have them,
 * and ends some seconds after this one did. What comes meanwhile waits in the kernel's queues instead of being refused, and is served by the next
 * proxy, which takes the sockets over from there. Of the network namespace of this process.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { listeningSockets, sharedPorts, socketName, takeDescriptors } from '../../host/listening-sockets.ts';
import { findProcesses, isAlive, signal, type ProcessId } from '../../host/process.ts';
import type { Family } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';

/** Seconds for the next proxy to come. After that, connections are refused, and those that waited are reset. */
const PATIENCE = 15;

/** Tells a keeper, by its environment, which its later program has too. */
const LABEL = 'FAIRWAY_KEEPS_RELAYS';

/** ms. Services that come and go together are one change. */
const SOON = 100;

export class SocketKeeper {
  readonly #family: Family;
  readonly #log: Log;
  /** What older proxies left: `TCP 40001` -> descriptor. */
  readonly #left = new Map<string, number>();
  #older: readonly ProcessId[];
  #child: ChildProcess | undefined;
  #isKept: (protocol: string, port: number) => boolean = () => false;
  #timer: NodeJS.Timeout | undefined;

  /** Takes what older proxies left. */
  constructor(family: Family, log: Log) {
    this.#family = family;
    this.#log = log;
    this.#older = keepersOf(family);
    for (const older of this.#older) {
      const sockets = [...listeningSockets(older.pid, family)].filter(([name]) => !this.#left.has(name));
      const taken = takeDescriptors(
        older.pid,
        sockets.map(([, fd]) => fd),
      );
      for (const [at, [name]] of sockets.entries()) {
        const fd = taken[at];
        if (fd !== undefined) this.#left.set(name, fd);
      }
    }
  }

  /** The descriptor of a socket that was left, which is the caller's from then on. */
  take(protocol: string, port: number): number | undefined {
    const name = socketName(protocol, port);
    const fd = this.#left.get(name);
    this.#left.delete(name);
    return fd;
  }

  /** Those of our sockets are to outlive this process, from soon on: to be called whenever some came or went. */
  keep(isKept: (protocol: string, port: number) => boolean): void {
    this.#isKept = isKept;
    this.#timer ??= setTimeout(() => {
      this.#replace();
    }, SOON).unref();
  }

  /** What was left and not taken is nobody's any more. */
  release(): void {
    for (const fd of this.#left.values()) closeSync(fd);
    this.#left.clear();
    for (const older of this.#older) signal(older, 'SIGKILL');
    this.#older = [];
  }

  /** The next proxy may come: to be called before the sockets are closed. */
  close(): void {
    if (this.#timer || sharedPorts(this.#family).size > 0) this.#replace();
    this.#child?.stdin?.destroy();
    this.#child = undefined;
  }

  /**
   * Not what a next proxy listens at already with a socket of its own, because it came before we had a keeper: the kernel would go on to give
   * ours half of all connections, and nobody would serve them.
   */
  #replace(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const shared = sharedPorts(this.#family);
    const sockets = [...listeningSockets('self', this.#family)].filter(([name]) => {
      const [protocol = '', port] = name.split(' ');
      return this.#isKept(protocol, Number(port)) && !shared.has(name);
    });
    const before = this.#child;
    this.#child = sockets.length === 0 ? undefined : this.#start(sockets.map(([, fd]) => fd));
    before?.kill('SIGKILL');
  }

  #start(fds: readonly number[]): ChildProcess {
    // its input ends with this process
    const child = spawn('sh', ['-c', `read _; exec sleep ${String(PATIENCE)}`], {
      stdio: ['pipe', 'ignore', 'ignore', ...fds],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'], [LABEL]: this.#family },
    });
    const say = (error: Error) => {
      this.#log.warn({ err: error }, 'nobody keeps the sockets of relays: connections are refused while no proxy runs');
    };
    child.on('error', say);
    child.stdin?.on('error', say);
    child.unref();
    (child.stdin as unknown as { unref?(): void }).unref?.();
    return child;
  }
}

/**
 * Ends those of older proxies: nobody is to come any more. Returns how many. `network`: as links in `/proc` call it, `net:[4026531840]`; our own where
 * nothing is said.
 */
export function endKeepers(family: Family, network?: string): number {
  const keepers = keepersOf(family, network);
  for (const keeper of keepers) signal(keeper, 'SIGKILL');
  return keepers.length;
}

/** Of that network, and of this user: whoever could pass for one could listen on the ports of relays as well. */
function keepersOf(family: Family, network = readlinkSync('/proc/self/ns/net')): readonly ProcessId[] {
  const label = `${LABEL}=${family}`;
  return findProcesses(([program], pid) => {
    if (program !== 'sh' && program !== 'sleep') return false;
    try {
      const environment = readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
      return environment.includes(label) && readlinkSync(`/proc/${String(pid)}/ns/net`) === network;
    } catch {
      return false;
    }
  }).filter(isAlive);
}
