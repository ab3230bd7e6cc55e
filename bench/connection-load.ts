/**
 * A client that costs next to nothing: blocking calls of libc, one connection after the other, each asking once and reading to the
 * end. A worker thread of bench/proxy-userspace.ts: `{ address, port, seconds }` in, `{ connections, failed }` out.
 */
import koffi from 'koffi';
import { parentPort, workerData } from 'node:worker_threads';

export interface Load {
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
  /** Sent by each connection. */
  readonly request: string;
}

export interface LoadResult {
  readonly connections: number;
  readonly failed: number;
}

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
const send = libc.func('intptr_t send(int fd, const void *bytes, size_t length, int flags)');
const recv = libc.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)');
const close = libc.func('int close(int fd)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const MSG_NOSIGNAL = 0x4000;

/** A struct sockaddr_in. */
function sockaddr(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [at, octet] of address.split('.').entries()) bytes.writeUInt8(Number(octet), 4 + at);
  return bytes;
}

function run({ address, port, seconds, request }: Load): LoadResult {
  const to = sockaddr(address, port);
  const question = Buffer.from(request);
  const answer = Buffer.alloc(4096);
  let [connections, failed] = [0, 0];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const fd = socket(AF_INET, SOCK_STREAM, 0) as number;
    let got = 0;
    if (connect(fd, to, to.length) === 0 && send(fd, question, question.length, MSG_NOSIGNAL) === question.length) {
      for (let size = recv(fd, answer, answer.length, 0) as number; size > 0;) {
        got += size;
        size = recv(fd, answer, answer.length, 0) as number;
      }
    }
    close(fd);
    if (got > 0) connections++;
    else failed++;
  }
  return { connections, failed };
}

parentPort?.postMessage(run(workerData as Load));
