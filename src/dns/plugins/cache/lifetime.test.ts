import assert from 'node:assert/strict';
import test from 'node:test';
import { queryFor, RCODE, replyTo, type Message } from '../../wire/message.ts';
import { recordsOf } from '../forward/fake-upstream.ts';
import { kindOf, ttlOf } from './lifetime.ts';

const frame = replyTo(queryFor(1, { name: 'www.example.', type: 1, class: 1 }), RCODE.NOERROR);
const limits = {
  success: { capacity: 1, maxTtl: 3600, minTtl: 5 },
  denial: { capacity: 1, maxTtl: 1800, minTtl: 5 },
  servfailTtl: 5,
};
const soa = (ttl: number, minimum: number) =>
  `example. ${String(ttl)} SOA ns.example. x.example. 1 2 3 4 ${String(minimum)}`;

interface Row {
  readonly why: string;
  readonly rcode?: number;
  readonly answers?: string;
  readonly authorities?: string;
  readonly additionals?: string;
  readonly change?: Partial<Message>;
  /** Kind and seconds, or nothing. */
  readonly expected: string;
}

const rows: readonly Row[] = [
  { why: 'an answer lives as long as its TTL', answers: 'www.example. 60 A 192.0.2.1', expected: 'success 60' },
  {
    why: 'as long as the shortest of all its records',
    answers: 'www.example. 60 CNAME a.example.\na.example. 30 A 192.0.2.1',
    authorities: 'example. 20 NS ns.example.',
    additionals: 'ns.example. 10 A 192.0.2.2',
    expected: 'success 10',
  },
  { why: 'no shorter than the least', answers: 'www.example. 0 A 192.0.2.1', expected: 'success 5' },
  { why: 'no longer than the most', answers: 'www.example. 86400 A 192.0.2.1', expected: 'success 3600' },
  { why: 'a denial as its SOA says', rcode: RCODE.NXDOMAIN, authorities: soa(900, 60), expected: 'denial 60' },
  { why: 'or as long as the SOA itself', rcode: RCODE.NXDOMAIN, authorities: soa(30, 60), expected: 'denial 30' },
  { why: 'no data is a denial', authorities: soa(900, 60), expected: 'denial 60' },
  { why: 'a denial no longer than the most', authorities: soa(86_400, 86_400), expected: 'denial 1800' },
  {
    why: 'an alias to a name that is not there is a denial',
    rcode: RCODE.NXDOMAIN,
    answers: 'www.example. 20 CNAME a.example.',
    authorities: soa(900, 60),
    expected: 'denial 20',
  },
  { why: 'a denial without SOA is not kept', rcode: RCODE.NXDOMAIN, expected: '' },
  { why: 'nor an empty answer', expected: '' },
  { why: 'nor a referral', authorities: 'example. 20 NS ns.example.', expected: '' },
  { why: 'nor half an answer', answers: 'www.example. 60 A 192.0.2.1', change: { truncated: true }, expected: '' },
  { why: 'nor a refusal', rcode: RCODE.REFUSED, expected: '' },
  { why: 'nor a format error', rcode: RCODE.FORMERR, expected: '' },
  { why: 'a failure for a short time', rcode: RCODE.SERVFAIL, expected: 'servfail 5' },
];

for (const { why, rcode = RCODE.NOERROR, answers = '', authorities = '', additionals = '', change, expected } of rows) {
  test(why, () => {
    const message: Message = {
      ...frame,
      rcode,
      answers: recordsOf(answers),
      authorities: recordsOf(authorities),
      additionals: recordsOf(additionals),
      ...change,
    };
    const kind = kindOf(message);
    assert.equal(kind === undefined ? '' : `${kind} ${String(ttlOf(kind, message, limits))}`, expected);
  });
}
