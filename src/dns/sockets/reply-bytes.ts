/** From the bytes of a query to those of its answer, by way of the chain; the answer may be kept as a packet. */
import type { Log } from '../../lib/log.ts';
import type { PacketCounter } from '../metrics.ts';
import type { PacketTable } from '../packets/packet-table.ts';
import { LARGEST_UDP, SMALLEST_UDP } from '../packets/question-key.ts';
import type { Asker, Dependency } from '../plugin.ts';
import { RCODE, replyTo, queryFor, type Message } from '../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../wire/message-codec.ts';

/** What goes out, who wants to know how large it was, and whether it may be kept. */
export interface Response {
  readonly message: Message;
  readonly counter?: PacketCounter;
  readonly mayKeep?: boolean;
  readonly holds?: readonly Dependency[];
  /** See `Making`. */
  readonly isBalanced?: boolean;
  /** Bytes it may have at most over UDP, whatever more the asker takes. */
  readonly udpSize?: number;
}

/** Undefined: no reply. */
export type Respond = (query: Message, asker: Asker) => Promise<Response | undefined>;

/** Where an answer is kept, and as whose. */
export interface Keeping {
  readonly table: PacketTable;
  readonly source: number;
}

const HEADER = 12;

/** The reply in bytes, or undefined for none. The asker's transport decides how large it may be. */
export async function replyBytes(
  bytes: Buffer,
  asker: Asker,
  respond: Respond,
  log: Log,
  keeping?: Keeping,
): Promise<Buffer | undefined> {
  const query = readQuery(bytes);
  if (query === undefined || Buffer.isBuffer(query)) return query;
  const limit =
    asker.transport === 'tcp' ? MAX_MESSAGE : Math.min(LARGEST_UDP, Math.max(SMALLEST_UDP, query.edns?.size ?? 0));
  try {
    const began = performance.now();
    const madeAt = keeping?.table.now ?? 0;
    const response = await respond(query, asker);
    if (!response) return undefined;
    const { counter, mayKeep, holds, isBalanced = false, udpSize = limit } = response;
    const most = asker.transport === 'udp' ? Math.min(limit, udpSize) : limit;
    const reply = encodeMessage(response.message, most);
    counter?.count(bytes.length, reply.length, (performance.now() - began) / 1000);
    if (keeping && mayKeep && holds && isWhole(response.message, reply)) {
      keeping.table.keep(bytes, keeping.source, reply, { madeAt, holds, isBalanced, ...(counter && { counter }) });
    }
    return reply;
  } catch (error) {
    log.error({ err: error, question: query.questions[0]?.name }, 'a question could not be answered');
    return encodeMessage(replyTo(query, RCODE.SERVFAIL), limit);
  }
}

/** False: something was left out for this asker, who takes less than others may; additional records go without a mark. */
function isWhole({ answers, authorities, additionals, edns }: Message, reply: Buffer): boolean {
  const counts = [answers.length, authorities.length, additionals.length + (edns ? 1 : 0)];
  return counts.every((count, section) => reply.readUInt16BE(6 + 2 * section) === count);
}

/**
 * The query, or the answer where there is nothing to be asked: to operations that are not served (with another use for the sections) and to what is
 * broken. Undefined: not even that, or an answer of somebody's.
 */
function readQuery(bytes: Buffer): Message | Buffer | undefined {
  if (bytes.length < HEADER || (bytes.readUInt8(2) & 0x80) !== 0) return undefined;
  if (((bytes.readUInt8(2) >> 3) & 15) !== 0) return bareReply(bytes, RCODE.NOTIMP);
  // No query has more: a message full of records would only take long to read. IXFR has an authority, and OPT may come with a signature.
  if (
    bytes.readUInt16BE(4) > 1 ||
    bytes.readUInt16BE(6) > 0 ||
    bytes.readUInt16BE(8) > 1 ||
    bytes.readUInt16BE(10) > 2
  ) {
    return bareReply(bytes, RCODE.FORMERR);
  }
  try {
    return decodeMessage(bytes);
  } catch {
    return bareReply(bytes, RCODE.FORMERR);
  }
}

/** What a broken message still says is enough to tell the sender. */
function bareReply(bytes: Buffer, rcode: number): Buffer {
  const { questions: _, ...frame } = queryFor(bytes.readUInt16BE(0), { name: '.', type: 0, class: 0 });
  const opcode = (bytes.readUInt8(2) >> 3) & 15;
  const query = { ...frame, opcode, recursionDesired: (bytes.readUInt8(2) & 1) !== 0, questions: [] };
  return encodeMessage(replyTo(query, rcode), SMALLEST_UDP);
}

/** SERVFAIL to a query nobody has the time to read; undefined: it was none. */
export function busyReply(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER || (bytes.readUInt8(2) & 0x80) !== 0) return undefined;
  return bareReply(bytes, RCODE.SERVFAIL);
}
