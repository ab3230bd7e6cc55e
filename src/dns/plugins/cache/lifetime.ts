/** What kind of answer a message is, how long it may be kept, and what it says when it is older (RFC 2181, 5.2; RFC 2308). Pure. */
import { RCODE, TYPE, type Message, type Record } from '../../wire/message.ts';
import type { CacheOptions, Limits } from './options.ts';

export type Kind = 'success' | 'denial' | 'servfail';

/** Undefined: not to be kept. Half an answer is none, and a denial without a SOA does not say for how long (RFC 2308, 5). */
export function kindOf({ rcode, truncated, answers, authorities }: Message): Kind | undefined {
  if (truncated) return undefined;
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'servfail';
  const isDenial = rcode === RCODE.NXDOMAIN || answers.length === 0;
  if (!isDenial) return rcode === RCODE.NOERROR ? 'success' : undefined;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return undefined;
  return authorities.some(({ type }) => type === TYPE.SOA) ? 'denial' : undefined;
}

/** Seconds. 0: not at all. */
export function ttlOf(
  kind: Kind,
  message: Message,
  options: Pick<CacheOptions, 'success' | 'denial' | 'servfailTtl'>,
): number {
  if (kind === 'servfail') return options.servfailTtl;
  return within(shortest(kind, message), options[kind]);
}

/** The longest wins where they contradict each other, as in CoreDNS. */
const within = (ttl: number, { minTtl, maxTtl }: Limits): number => Math.min(maxTtl, Math.max(minTtl, ttl));

/** Of all records; of the SOA of a denial what that says about denials too. */
function shortest(kind: Kind, { answers, authorities, additionals }: Message): number {
  let least = Infinity;
  for (const section of [answers, authorities, additionals]) {
    for (const record of section) {
      const isWord = kind === 'denial' && record.type === TYPE.SOA;
      least = Math.min(least, isWord ? Math.min(record.ttl, record.minimum) : record.ttl);
    }
  }
  return least === Infinity ? 0 : least;
}

/** Records with one TTL, for together they are one answer: it ends when the first of them does. */
export const withTtl = (records: readonly Record[], ttl: number): Record[] =>
  records.map((record) => ({ ...record, ttl }));

/** Bytes of memory, roughly: what an object costs beside its text, and the text. */
export function weightOf({
  answers,
  authorities,
  additionals,
}: Pick<Message, 'answers' | 'authorities' | 'additionals'>): number {
  let weight = 500;
  for (const section of [answers, authorities, additionals]) {
    for (const record of section) weight += 250 + record.name.length + dataLength(record);
  }
  return weight;
}

function dataLength(record: Record): number {
  switch (record.type) {
    case 'other':
      return record.bytes.length;
    case TYPE.TXT:
      return record.texts.reduce((sum, text) => sum + text.length + 30, 0);
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
    case TYPE.SRV:
      return record.target.length;
    case TYPE.SOA:
      return record.mname.length + record.rname.length;
    default:
      return 40;
  }
}
