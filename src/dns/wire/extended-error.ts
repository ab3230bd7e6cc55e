/** Why an answer is as it is, for askers that use EDNS (RFC 8914). Pure. */
import type { Message } from './message.ts';

export const EXTENDED_ERROR = { STALE_ANSWER: 3, STALE_NXDOMAIN: 19, NO_REACHABLE_AUTHORITY: 22 } as const;

/** Number of the option. */
const OPTION = 15;

/**
 * `reply` with the reason in it; as it is where the asker of `query` does not use EDNS.
 * @param text for people
 */
export function withExtendedError(reply: Message, query: Message, code: number, text = ''): Message {
  if (!query.edns) return reply;
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  const option = { code: OPTION, bytes: Buffer.concat([head, Buffer.from(text)]) };
  const { size, version, dnssecOk } = query.edns;
  return { ...reply, edns: { size, version, dnssecOk, options: [...(reply.edns?.options ?? []), option] } };
}

/** The first reason in a message. */
export function extendedErrorOf({ edns }: Message): { readonly code: number; readonly text: string } | undefined {
  const option = edns?.options?.find(({ code, bytes }) => code === OPTION && bytes.length >= 2);
  return option && { code: option.bytes.readUInt16BE(0), text: option.bytes.toString('utf8', 2) };
}
