/**
 * The few functions of libc that a netlink socket takes. Node has no netlink sockets of its own; koffi calls these. It is loaded when the first
 * socket opens (6-12 ms, 4 MB), so that a process that never does pays nothing.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type koffiModule from 'koffi';
import { NetlinkError } from './netlink-error.ts';

/** Numbers and errno as in the manual pages. Every call but the `…Async` ones runs on the calling thread. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** On a worker thread. `bytes` must not be touched until it resolves. What errno was is lost. */
  sendAsync(fd: number, bytes: Uint8Array, length: number, flags: number): Promise<number>;
  recvAsync(fd: number, bytes: Uint8Array, length: number, flags: number): Promise<number>;
  /** Closing a netlink socket waits 5-18 ms for an RCU grace period, hence never on the calling thread. */
  closeAsync(fd: number): Promise<number>;
  /** Address of the bytes, valid while they are held. */
  addressOf(bytes: Uint8Array): bigint;
  /** errno's name after a call on this thread returned -1. */
  errorName(): string;
  /** Calls back when there is something to read, until the returned function is called. Does not keep the process alive. */
  onReadable(fd: number, callback: () => void): () => void;
}

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// two names share a number; these are the ones in use
names.set(constants.errno.EAGAIN, 'EAGAIN');
names.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');

/** `ENOENT` of 2. */
export function errnoName(number: number): string {
  return names.get(number) ?? `errno ${String(number)}`;
}

let loaded: Libc | undefined;

/** Throws NetlinkError ENOSYS where koffi is not there or has no binary for this platform. */
export function libc(): Libc {
  try {
    loaded ??= load(createRequire(import.meta.url)('koffi') as typeof koffiModule);
  } catch (error) {
    throw new NetlinkError(['netlink', 'load koffi'], 'ENOSYS', error instanceof Error ? error.message : '', error);
  }
  return loaded;
}

type Transfer = (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
interface WithAsync<Arguments extends unknown[]> {
  async(...args: [...Arguments, (error: Error | null, result: number) => void]): void;
}

function load(koffi: typeof koffiModule): Libc {
  const lib = koffi.load(null);
  const send = lib.func('intptr_t send(int, const void *, size_t, int)') as Transfer & WithAsync<Parameters<Transfer>>;
  const recv = lib.func('intptr_t recv(int, void *, size_t, int)') as Transfer & WithAsync<Parameters<Transfer>>;
  const close = lib.func('int close(int)') as unknown as WithAsync<[number]>;
  return {
    socket: lib.func('int socket(int, int, int)') as Libc['socket'],
    bind: lib.func('int bind(int, const void *, uint32_t)') as Libc['bind'],
    getsockname: lib.func('int getsockname(int, void *, void *)') as Libc['getsockname'],
    setsockopt: lib.func('int setsockopt(int, int, int, const void *, uint32_t)') as Libc['setsockopt'],
    send,
    recv,
    sendAsync: promised(send),
    recvAsync: promised(recv),
    closeAsync: promised(close),
    addressOf: (bytes) => koffi.address(bytes),
    errorName: () => errnoName(koffi.errno()),
    onReadable(fd, callback) {
      const handle = koffi.node.poll(fd, { readable: true }, () => inTurn(callback));
      handle.unref();
      return () => {
        handle.close();
      };
    },
  };
}

/**
 * What koffi calls back runs outside of any turn of the event loop: whatever is awaited there would wait for the next event, which on
 * a quiet machine is a second away.
 */
function inTurn(task: () => void): void {
  setImmediate(task);
}

function promised<Arguments extends unknown[]>(call: WithAsync<Arguments>): (...args: Arguments) => Promise<number> {
  return (...args) =>
    new Promise((resolve, reject) => {
      call.async(...args, (error, result) => {
        // the arguments are named here so that their memory outlives the call
        inTurn(() => {
          if (error) reject(new Error(`call with ${String(args.length)} arguments failed`, { cause: error }));
          else resolve(result);
        });
      });
    });
}
