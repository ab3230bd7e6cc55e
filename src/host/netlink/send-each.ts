import { errnoName } from './libc.ts';
import type { MessageWriter } from './message-writer.ts';
import type { NetlinkSocket } from './socket.ts';

/** One of many requests that the kernel refused. The others were carried out all the same. */
export interface Refusal<T> {
  readonly request: T;
  /** errno's name, such as EEXIST. */
  readonly code: string;
  readonly detail: string;
}

/** Requests in one datagram: the errors of all of them fit the receive buffer, so none is lost. */
const AT_ONCE = 128;

/**
 * Sends requests that each stand for themselves, many to a datagram, and returns those that were refused. `write` writes one message and must not ask for an
 * acknowledgement: what is not refused is done. Other work of the process gets its turn between datagrams. To be called within the socket's `exclusive`.
 */
export async function sendEach<T>(
  socket: NetlinkSocket,
  writer: MessageWriter,
  requests: readonly T[],
  write: (to: MessageWriter, request: T, seq: number) => void,
): Promise<readonly Refusal<T>[]> {
  const refused: Refusal<T>[] = [];
  let breathed = performance.now();
  for (let at = 0; at < requests.length; at += AT_ONCE) {
    const some = requests.slice(at, at + AT_ONCE);
    const firstSeq = socket.nextSeq(some.length);
    writer.reset();
    for (const [index, request] of some.entries()) write(writer, request, firstSeq + index);
    for (const { seq, code, detail } of socket.transactNow(writer)) {
      const request = some[(seq - firstSeq) >>> 0];
      if (request !== undefined && code !== 0) refused.push({ request, code: errnoName(code), detail });
    }
    if (performance.now() - breathed > 5) {
      await new Promise((resolve) => setImmediate(resolve));
      breathed = performance.now();
    }
  }
  return refused;
}
