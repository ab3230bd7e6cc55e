/**
 * Letters of a name in a random case, which the answer must repeat: one more bit per letter that a forger would have to guess (the draft "0x20").
 * Pure but for the bits it is given.
 */
import { TYPE, type Message, type Record } from '../../wire/message.ts';

/** @param bits random bytes, a bit per letter is used; names longer than they reach keep their tail */
export function mixCase(name: string, bits: Uint8Array): string {
  let mixed = '';
  for (let at = 0; at < name.length; at++) {
    const char = name.charAt(at);
    const bit = ((bits[at >> 3] ?? 0) >> (at & 7)) & 1;
    mixed +=
      at >> 3 < bits.length && isLetter(name.charCodeAt(at))
        ? bit === 1
          ? char.toUpperCase()
          : char.toLowerCase()
        : char;
  }
  return mixed;
}

const isLetter = (code: number): boolean => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);

/**
 * The answer to a question with mixed letters as if it had been asked plainly: servers write names that end alike by pointing into the question, and its letters would
 * be seen in targets as well.
 */
export function withPlainCase(reply: Message, mixed: string, plain: string): Message {
  const name = (text: string) => plainEnd(text, mixed, plain);
  const record = (each: Record) => plainRecord({ ...each, name: name(each.name) }, name);
  return {
    ...reply,
    questions: reply.questions.map((each) => ({ ...each, name: name(each.name) })),
    answers: reply.answers.map(record),
    authorities: reply.authorities.map(record),
    additionals: reply.additionals.map(record),
  };
}

/** Names inside of its data. */
function plainRecord(record: Record, name: (text: string) => string): Record {
  switch (record.type) {
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
    case TYPE.SRV:
      return { ...record, target: name(record.target) };
    case TYPE.SOA:
      return { ...record, mname: name(record.mname), rname: name(record.rname) };
    default:
      return record;
  }
}

/** The labels at the end that are those of `mixed`, letter by letter, are written as in `plain`, which has the same length. */
function plainEnd(text: string, mixed: string, plain: string): string {
  let shared = 0;
  const most = Math.min(text.length, mixed.length);
  while (shared < most && text.charCodeAt(text.length - 1 - shared) === mixed.charCodeAt(mixed.length - 1 - shared))
    shared++;
  const isWhole = shared === text.length || shared === mixed.length;
  let start = text.length - shared;
  // Half a label is another label.
  if (!isWhole || (start > 0 && text.charAt(start - 1) !== '.')) start = text.indexOf('.', start) + 1;
  return start <= 0 && shared < text.length
    ? text
    : text.slice(0, start) + plain.slice(plain.length - (text.length - start));
}
