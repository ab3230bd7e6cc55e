import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { serveDns } from '../sockets/serve.ts';
import { RCODE, replyTo, TYPE, type Message } from '../wire/message.ts';
import { askServer, isAskable } from './ask.ts';

/** Answers as the first label says. */
function answer(query: Message): Promise<{ message: Message } | undefined> {
  const [question] = query.questions;
  const name = question?.name ?? '.';
  if (name.startsWith('silent.')) return Promise.resolve(undefined);
  if (name.startsWith('none.')) return Promise.resolve({ message: replyTo(query, RCODE.NXDOMAIN) });
  if (name.startsWith('broken.')) return Promise.resolve({ message: replyTo(query, RCODE.SERVFAIL) });
  if (name.startsWith('refused.')) return Promise.resolve({ message: replyTo(query, RCODE.REFUSED) });
  if (name.startsWith('alias.')) {
    const alias = { name, ttl: 5, type: TYPE.CNAME, target: 'gone.test.' } as const;
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers: [alias] } });
  }
  const count = name.startsWith('many.') ? 100 : 1;
  const answers =
    question?.type === TYPE.A
      ? Array.from({ length: count }, (_, at) => ({
          ...{ name, ttl: 5, type: TYPE.A },
          address: `192.0.2.${String(at)}`,
        }))
      : [];
  return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers } });
}

async function server(t: TestContext): Promise<number> {
  const sockets = await serveDns({ address: '127.0.0.1', port: 0, log: silentLog, respond: answer });
  t.after(() => sockets.close());
  return sockets.port;
}

test('each answer comes with what it means', async (t) => {
  const port = await server(t);
  const outcomes = async (name: string) =>
    (await askServer(name, [TYPE.A, TYPE.AAAA], '127.0.0.1', { timeout: 5000, port })).map(({ outcome }) => outcome);
  assert.deepEqual(await outcomes('one.test.'), ['found', 'nodata']);
  assert.deepEqual(await outcomes('none.test.'), ['nxdomain', 'nxdomain']);
  assert.deepEqual(await outcomes('broken.test.'), ['servfail', 'servfail']);
  assert.deepEqual(await outcomes('refused.test.'), ['refused', 'refused']);
  assert.deepEqual(await outcomes('alias.test.'), ['nodata', 'nodata']);
});

test('an answer that is cut off is asked for again over TCP', async (t) => {
  const port = await server(t);
  const [heard] = await askServer('many.test.', [TYPE.A], '127.0.0.1', { timeout: 5000, port });
  assert.deepEqual([heard?.transport, heard?.outcome, heard?.answers.length], ['tcp', 'found', 100]);
  const [alone] = await askServer('one.test.', [TYPE.A], '127.0.0.1', { timeout: 5000, port, tcp: true });
  assert.deepEqual([alone?.transport, alone?.answers], ['tcp', ['one.test. 5 IN A 192.0.2.0']]);
});

test('silence and nobody there are told apart, and nothing is thrown', async (t) => {
  const port = await server(t);
  const [silent] = await askServer('silent.test.', [TYPE.A], '127.0.0.1', { timeout: 50, port });
  assert.deepEqual([silent?.outcome, silent?.error], ['silence', 'no answer within 0.05 s']);
  const gone = createSocket('udp4').bind(0, '127.0.0.1');
  await once(gone, 'listening');
  const free = gone.address().port;
  gone.close();
  for (const types of [[TYPE.A], [TYPE.A, TYPE.AAAA], [TYPE.A, TYPE.AAAA, TYPE.SRV]]) {
    for (const nobody of await askServer('one.test.', types, '127.0.0.1', { timeout: 30_000, port: free }))
      assert.deepEqual([nobody.outcome, nobody.error], ['unreachable', 'nobody listens there (connection refused)']);
  }
  const [odd] = await askServer('one.test.', [TYPE.A], 'localhost', { timeout: 50, port });
  assert.deepEqual([odd?.outcome, odd?.error], ['unreachable', 'that is no address']);
});

test('names that fit no question are told before', () => {
  for (const name of ['.', 'web', 'web.', '_http._tcp.web', '*', `${'a'.repeat(63)}.b`])
    assert.ok(isAskable(name), name);
  for (const name of ['', '..', 'a..b', '.a', 'a b', 'a\\b', 'ü', `${'a'.repeat(64)}.b`, 'abcdefghi.'.repeat(30)])
    assert.ok(!isAskable(name), name);
});
