/** One question over UDP, from a socket of its own: its random port is, with the id and the letters' case, what a forger would have to guess. */
import { createSocket } from 'node:dgram';
import type { Clock } from '../../../lib/clock.ts';
import type { Message } from '../../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { checkReply } from './reply-check.ts';
import type { Upstream } from './upstream.ts';
import { aborted, broken, timedOut, type UpstreamError } from './upstream-error.ts';

/** What answers may be as large as over UDP: fits an Ethernet frame, so it is never fragmented, and no fragment can be forged. */
export const UDP_SIZE = 1232;
/** So many wrong datagrams on one socket are an attack. */
const MOST_STRANGERS = 8;

/** `stream`: not to be had over UDP (larger than we said we take, cut off in the middle, or somebody is forging): ask over TCP. */
export type UdpOutcome =
  { readonly verdict: 'fits' | 'other case' | 'no edns'; readonly reply: Message } | { readonly verdict: 'stream' };

export interface UdpOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** @throws UpstreamError */
export function askOverUdp(query: Message, { upstream, clock, timeoutMs, signal }: UdpOptions): Promise<UdpOutcome> {
  const { address, port } = upstream;
  const bytes = encodeMessage(query, MAX_MESSAGE);
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    let strangers = 0;
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      cancel();
      signal.removeEventListener('abort', onAbort);
      socket.close();
      return true;
    };
    const fail = (error: UpstreamError) => {
      if (end()) reject(error);
    };
    const onAbort = () => {
      fail(aborted());
    };
    const cancel = clock.after(timeoutMs, () => {
      fail(timedOut(timeoutMs));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => {
      fail(broken(error));
    });
    socket.on('message', (datagram) => {
      const outcome = judge(query, datagram);
      if (outcome === undefined && ++strangers < MOST_STRANGERS) return;
      if (end()) resolve(outcome ?? { verdict: 'stream' });
    });
    // Connected, so that the kernel drops what others send and reports a closed port at once. Without a route there, it refuses.
    socket.connect(port, address, (refused?: Error) => {
      if (isOver) return;
      if (refused) {
        fail(broken(refused));
        return;
      }
      socket.send(bytes, (error) => {
        if (error) fail(broken(error));
      });
    });
    if (signal.aborted) onAbort();
  });
}

/** Undefined: not an answer to this. */
function judge(query: Message, datagram: Buffer): UdpOutcome | undefined {
  const isOurs = datagram.length >= 12 && datagram.readUInt16BE(0) === query.id && (datagram.readUInt8(2) & 0x80) !== 0;
  if (!isOurs) return undefined;
  if (datagram.length > Math.max(512, query.edns?.size ?? 0)) return { verdict: 'stream' };
  try {
    const reply = decodeMessage(datagram);
    const verdict = checkReply(query, reply);
    return verdict === 'stranger' ? undefined : { verdict, reply };
  } catch {
    // Cut off in the middle of a record, as some servers do.
    return (datagram.readUInt8(2) & 0x02) !== 0 ? { verdict: 'stream' } : undefined;
  }
}
