import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Asker } from '../plugin.ts';
import { entryOf, matchesName, parseLogFilter, wantsEntry, wantsQuestion } from './query-log.ts';
import type { QueryRecord } from './tap.ts';
import { queryFor, RCODE, replyTo, TYPE } from '../wire/message.ts';

const asker: Asker = { address: '10.244.1.3', port: 40000, transport: 'udp' };
const question = { name: 'Web.shop.svc.cluster.local.', type: TYPE.A, class: 1 };
const message = replyTo(queryFor(7, question), RCODE.NXDOMAIN);
const record: QueryRecord = {
  ...{ at: 1_800_000_000_123, id: 7, asker, question, took: 0.123_456, trail: [] },
  reply: { message, from: 'kubernetes' },
};

const MATCHES: readonly [pattern: string, name: string, matches: boolean][] = [
  ['web', 'web.shop.svc.cluster.local.', true],
  ['web.shop', 'web.shop.svc.cluster.local.', true],
  ['web', 'webs.shop.svc.cluster.local.', false],
  ['we', 'web.shop.svc.cluster.local.', false],
  ['web*', 'webs.shop.svc.cluster.local.', true],
  ['*.example.org', 'www.example.org.', true],
  ['*.example.org.', 'a.b.example.org.', true],
  ['*.example.org', 'example.org.', false],
  ['*', '.', true],
  ['a*b*c', 'a-b-b-c.', true],
  ['a*b*c', 'acb.', false],
  ['ab*ba', 'aba.', false],
];

for (const [pattern, name, matches] of MATCHES) {
  test(`${pattern} ${matches ? 'matches' : 'does not match'} ${name}`, () => {
    assert.equal(matchesName(pattern, name), matches);
  });
}

test('a filter is what the query says; what it cannot be is refused', () => {
  const filter = parseLogFilter(new URLSearchParams('address=10.244.1.3&name=WEB&type=a&rcode=nxdomain'));
  assert.deepEqual(filter, { addresses: ['10.244.1.3'], name: 'web', type: TYPE.A, rcode: 'NXDOMAIN' });
  assert.equal(wantsQuestion(filter, question, asker), true);
  assert.equal(wantsQuestion(filter, { ...question, type: TYPE.AAAA }, asker), false);
  assert.equal(wantsQuestion(filter, question, { ...asker, address: '10.244.1.4' }), false);
  assert.throws(() => parseLogFilter(new URLSearchParams('type=NOPE')), /invalid type "NOPE"/);
  assert.throws(() => parseLogFilter(new URLSearchParams('rcode=a b')), /invalid rcode "A B"/);
});

test('an entry has the Pod, the answer and no more of the message', () => {
  const entry = entryOf(record, (address) => (address === '10.244.1.3' ? 'shop/client' : undefined));
  assert.deepEqual(entry, {
    ...{ time: '2027-01-15T08:00:00.123Z', pod: 'shop/client', address: '10.244.1.3', transport: 'udp' },
    ...{ name: 'Web.shop.svc.cluster.local.', type: 'A', rcode: 'NXDOMAIN', answers: 0 },
    ...{ plugin: 'kubernetes', took: 0.123 },
  });
  assert.equal(wantsEntry({ addresses: [], rcode: 'NXDOMAIN' }, entry), true);
  assert.equal(wantsEntry({ addresses: [], rcode: 'NOERROR' }, entry), false);
});

test('no reply is an answer code of its own, an error that of a broken server', () => {
  const { reply: _, ...silent } = record;
  assert.equal(
    wantsEntry(
      { addresses: [], rcode: 'NONE' },
      entryOf(silent, () => undefined),
    ),
    true,
  );
  const broken = entryOf({ ...silent, error: 'out of memory' }, () => undefined);
  assert.deepEqual([broken.rcode, broken.problem], ['SERVFAIL', 'out of memory']);
});
