import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Asker, Reply, TrailStep } from '../plugin.ts';
import { QueryTap, type QueryRecord } from './tap.ts';
import { queryFor, RCODE, replyTo, TYPE } from '../wire/message.ts';

const asker: Asker = { address: '10.244.1.3', port: 40000, transport: 'udp' };
const query = queryFor(7, { name: 'web.shop.svc.cluster.local.', type: TYPE.A, class: 1 });
const reply: Reply = { message: replyTo(query, RCODE.NXDOMAIN), from: 'kubernetes' };

test('while nobody listens no trail is asked for', async () => {
  const tap = new QueryTap();
  assert.equal(tap.isOpen, false);
  const trails: unknown[] = [];
  assert.equal(await tap.through(query, asker, (trail) => (trails.push(trail), reply)), reply);
  assert.deepEqual(trails, [undefined]);
});

test('a listener hears question, answer and trail of what it wants, until it stops', async () => {
  const tap = new QueryTap();
  const heard: QueryRecord[] = [];
  const wants = (_: unknown, { address }: Asker) => address === asker.address;
  const stop = tap.listen({ wants, hear: (record) => heard.push(record) });
  const answer = (trail?: TrailStep[]) => {
    trail?.push({ plugin: 'kubernetes', text: 'no such name' });
    return reply;
  };
  await tap.through(query, asker, answer);
  await tap.through(query, { ...asker, address: '10.244.1.4' }, answer);
  stop();
  assert.equal(tap.isOpen, false);
  await tap.through(query, asker, answer);
  assert.equal(heard.length, 1);
  const [record] = heard;
  assert.deepEqual(record?.trail, [{ plugin: 'kubernetes', text: 'no such name' }]);
  assert.equal(record.reply, reply);
  assert.ok(record.took >= 0);
});

test('what is thrown is told and thrown on; no reply is told as none', async () => {
  const tap = new QueryTap();
  const heard: QueryRecord[] = [];
  tap.listen({ wants: () => true, hear: (record) => heard.push(record) });
  await assert.rejects(
    tap.through(query, asker, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.equal(await tap.through(query, asker, () => undefined), undefined);
  assert.deepEqual(
    heard.map(({ error, reply: sent }) => [error, sent]),
    [
      ['broken', undefined],
      [undefined, undefined],
    ],
  );
});
