import assert from 'node:assert/strict';
import test from 'node:test';
import type { Handler, Reply } from '../../plugin.ts';
import { extendedErrorOf } from '../../wire/extended-error.ts';
import { RCODE, replyTo, TYPE, type Message } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';
import { recordOf, recordsOf } from '../forward/fake-upstream.ts';
import { caching, type Caching } from './caching.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Answers each time with another address, so that one sees which time it was. */
function counting(ttl = 60, change: Partial<Message> = {}): Handler {
  let count = 0;
  return ({ message, question }) =>
    Promise.resolve({
      message: {
        ...replyTo(message, RCODE.NOERROR),
        answers: [recordOf(`${question.name} ${String(ttl)} A 192.0.2.${String(++count)}`)],
        ...change,
      },
      from: 'forward',
      source: '10.0.0.1:53',
    });
}

const denying: Handler = ({ message }) => {
  const authorities = recordsOf('example. 60 SOA ns.example. x.example. 1 2 3 4 30');
  return Promise.resolve({ message: { ...replyTo(message, RCODE.NXDOMAIN), authorities }, from: 'forward' });
};

const failing: Handler = ({ message }) =>
  Promise.resolve({ message: replyTo(message, RCODE.SERVFAIL), from: 'forward', transient: true });

function short(reply: Reply | undefined): string {
  if (!reply) return 'nothing';
  const { rcode, answers, authorities } = reply.message;
  return [reply.from, rcodeName(rcode), ...[...answers, ...authorities].map(recordText)].join(' ');
}

const ask = async (cache: Caching, ...args: Parameters<Caching['ask']>) => short(await cache.ask(...args));
const metric = ({ runtime }: Caching, name: string): string | undefined =>
  new RegExp(`^coredns_cache_${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(runtime.metrics.render())?.[1];

test('an answer is asked for once, grows older, and is over when its time is', async () => {
  const cache = caching('cache', counting());
  assert.equal(await ask(cache, 'www.example.'), 'forward NOERROR www.example. 60 IN A 192.0.2.1');
  cache.clock.advance(20_000);
  assert.equal(await ask(cache, 'WWW.example.'), 'cache NOERROR WWW.example. 40 IN A 192.0.2.1');
  cache.clock.advance(39_999);
  assert.equal(await ask(cache, 'www.example.'), 'cache NOERROR www.example. 1 IN A 192.0.2.1');
  cache.clock.advance(1);
  assert.equal(await ask(cache, 'www.example.'), 'forward NOERROR www.example. 60 IN A 192.0.2.2');
  assert.deepEqual(
    ['requests_total', 'misses_total', 'entries'].map((name) => metric(cache, name)),
    ['4', '2', '1'],
  );
  assert.match(
    cache.runtime.metrics.render(),
    /coredns_cache_hits_total\{server="dns:\/\/:53",type="success",zones=".",view=""\} 2/,
  );
});

test('what is told first has the TTL it is kept for', async () => {
  assert.equal(
    await ask(caching('cache 30', counting(3600)), 'www.example.'),
    'forward NOERROR www.example. 30 IN A 192.0.2.1',
  );
  assert.equal(
    await ask(caching('cache', counting(1)), 'www.example.'),
    'forward NOERROR www.example. 5 IN A 192.0.2.1',
  );
});

test('with keepttl TTLs stay as they came, and the end is the same', async () => {
  const cache = caching('cache 30 {\nkeepttl\n}', counting(3600));
  await ask(cache, 'www.example.');
  cache.clock.advance(20_000);
  assert.equal(await ask(cache, 'www.example.'), 'cache NOERROR www.example. 3600 IN A 192.0.2.1');
  cache.clock.advance(10_000);
  assert.equal(await ask(cache, 'www.example.'), 'forward NOERROR www.example. 3600 IN A 192.0.2.2');
});

test('a denial is kept as long as it says', async () => {
  const cache = caching('cache', denying);
  await ask(cache, 'no.example.');
  cache.clock.advance(10_000);
  assert.match(await ask(cache, 'no.example.'), /^cache NXDOMAIN example\. 20 IN SOA/);
  cache.clock.advance(20_000);
  assert.match(await ask(cache, 'no.example.'), /^forward NXDOMAIN/);
});

test('questions that differ in type, or in wanting signatures or unchecked data, are different', async () => {
  const cache = caching('cache', counting());
  const edns = { size: 1232, version: 0, dnssecOk: true };
  await cache.ask('www.example.');
  await cache.ask('www.example.', TYPE.AAAA);
  await cache.ask('www.example.', TYPE.A, { edns });
  await cache.ask('www.example.', TYPE.A, { checkingDisabled: true });
  assert.equal(cache.asked.length, 4);
  await cache.ask('www.example.', TYPE.A, { edns: { ...edns, dnssecOk: false } });
  await cache.ask('www.example.', TYPE.A, { edns, checkingDisabled: false });
  assert.equal(cache.asked.length, 4);
});

test('AD is told to whom it says something', async () => {
  const cache = caching('cache', counting(60, { authenticData: true }));
  await cache.ask('www.example.');
  assert.equal((await cache.ask('www.example.'))?.message.authenticData, false);
  assert.equal((await cache.ask('www.example.', TYPE.A, { authenticData: true }))?.message.authenticData, true);
});

for (const [why, change] of [
  ['comes from the cluster', { holds: ['service/default/web'] }],
  ['is for this asker only', { transient: true }],
] as const) {
  test(`what ${why} is left alone`, async () => {
    const origin = counting();
    const cache = caching('cache 30', async (query) => ({ ...((await origin(query)) as Reply), ...change }));
    for (const at of [1, 2]) {
      assert.equal(await ask(cache, 'web.'), `forward NOERROR web. 60 IN A 192.0.2.${String(at)}`);
    }
  });
}

test('what a change of the cluster ends is kept until then', async () => {
  const origin = counting();
  const cache = caching('cache', async (query) => ({
    ...((await origin(query)) as Reply),
    until: ['service/default/out'],
  }));
  await ask(cache, 'out.');
  cache.runtime.changes.announce('service/default/other');
  assert.match(await ask(cache, 'out.'), /^cache/);
  cache.runtime.changes.announce('service/default/out');
  assert.match(await ask(cache, 'out.'), /^forward .* 192\.0\.2\.2$/);
  cache.runtime.changes.announce(undefined);
  assert.match(await ask(cache, 'out.'), /^forward .* 192\.0\.2\.3$/);
  await cache.stop();
});

test('an answer that was on its way when the cluster changed is told, and not kept', async () => {
  const arrived = Promise.withResolvers<undefined>();
  const origin = counting();
  const cache = caching('cache', async (query) => {
    const reply = (await origin(query)) as Reply;
    await arrived.promise;
    return { ...reply, until: ['service/default/out'] };
  });
  const first = cache.ask('out.');
  cache.runtime.changes.announce('service/default/out');
  arrived.resolve(undefined);
  assert.match(short(await first), /192\.0\.2\.1$/);
  assert.match(await ask(cache, 'out.'), /^forward .* 192\.0\.2\.2$/);
});

test('names of other zones, and kinds that are disabled, are not kept', async () => {
  const other = caching('cache example', counting());
  for (const name of ['a.example.', 'a.example.', 'a.test.', 'a.test.']) await other.ask(name);
  assert.deepEqual(
    other.asked.map(({ name }) => name),
    ['a.example.', 'a.test.', 'a.test.'],
  );
  const disabled = caching('cache {\ndisable success example\n}', counting());
  for (const name of ['a.example.', 'a.example.', 'a.test.', 'a.test.']) await disabled.ask(name);
  assert.deepEqual(
    disabled.asked.map(({ name }) => name),
    ['a.example.', 'a.example.', 'a.test.'],
  );
  const denials = caching('cache {\ndisable denial\n}', denying);
  for (const name of ['a.example.', 'a.example.']) await denials.ask(name);
  assert.equal(denials.asked.length, 2);
});

test('a failure that an upstream tells is kept for 5 s, and longer or not at all where one likes', async () => {
  const told: Handler = ({ message }) =>
    Promise.resolve({ message: replyTo(message, RCODE.SERVFAIL), from: 'forward' });
  for (const [option, seconds] of [
    ['', 5],
    ['servfail 1m', 60],
    ['servfail 0', 0],
  ] as const) {
    const cache = caching(`cache {\n${option}\n}`, told);
    await cache.ask('www.example.');
    cache.clock.advance(seconds * 1000 - 1);
    await cache.ask('www.example.');
    assert.equal(cache.asked.length, seconds === 0 ? 2 : 1);
    cache.clock.advance(1);
    await cache.ask('www.example.');
    assert.equal(cache.asked.length, seconds === 0 ? 3 : 2);
  }
});

test('it holds as many as it may, and drives out those that nobody asks for again', async () => {
  const cache = caching('cache {\nsuccess 10\n}', counting());
  await cache.ask('popular.');
  await cache.ask('popular.');
  for (let at = 0; at < 100; at++) await cache.ask(`n${String(at)}.`);
  assert.match(await ask(cache, 'popular.'), /^cache/);
  assert.equal(
    /type="success"[^}]*\} (\d+)/.exec(
      /coredns_cache_entries\{.*/.exec(cache.runtime.metrics.render())?.[0] ?? '',
    )?.[1],
    '10',
  );
});

test('stale answers are told at once with TTL 0 and marked, and fetched anew behind', async () => {
  let isUp = true;
  const origin = counting();
  const cache = caching('cache {\nserve_stale 1m\n}', (query) => (isUp ? origin(query) : failing(query)));
  await cache.ask('www.example.');
  isUp = false;
  cache.clock.advance(72_000);
  const edns = { size: 1232, version: 0, dnssecOk: false };
  const reply = await cache.ask('www.example.', TYPE.A, { edns });
  assert.equal(short(reply), 'cache NOERROR www.example. 0 IN A 192.0.2.1');
  assert.equal(reply?.source, 'stale, 12 s too old (from 10.0.0.1:53)');
  assert.deepEqual(reply.message.edns && extendedErrorOf(reply.message), { code: 3, text: reply.source });
  assert.equal((await cache.ask('www.example.'))?.message.edns, undefined);
  assert.equal(metric(cache, 'served_stale_total'), '2');
  assert.equal(cache.asked.length, 2, 'it was fetched once for both');
  await turn();
  isUp = true;
  cache.clock.advance(5000);
  assert.match(await ask(cache, 'www.example.'), /^cache NOERROR www\.example\. 0 IN/);
  await turn();
  assert.equal(await ask(cache, 'www.example.'), 'cache NOERROR www.example. 60 IN A 192.0.2.2');
});

test('a denial that is stale is marked as that, and too stale nothing is told', async () => {
  let isUp = true;
  const cache = caching('cache {\nserve_stale 1m\n}', (query) => (isUp ? denying(query) : failing(query)));
  await cache.ask('no.example.');
  isUp = false;
  cache.clock.advance(40_000);
  const reply = await cache.ask('no.example.', TYPE.A, { edns: { size: 1232, version: 0, dnssecOk: false } });
  assert.equal(reply && extendedErrorOf(reply.message)?.code, 19);
  cache.clock.advance(50_000);
  assert.equal(await ask(cache, 'no.example.'), 'forward SERVFAIL');
});

test('with verify a stale answer is told only when nothing better came, or nothing in time', async () => {
  let behave: Handler = counting();
  const cache = caching('cache {\nserve_stale 1h verify\n}', (query) => behave(query));
  const fresh = behave;
  await cache.ask('www.example.');
  cache.clock.advance(60_000);
  assert.equal(await ask(cache, 'www.example.'), 'forward NOERROR www.example. 60 IN A 192.0.2.2');
  cache.clock.advance(60_000);
  behave = failing;
  assert.equal(await ask(cache, 'www.example.'), 'cache NOERROR www.example. 0 IN A 192.0.2.2');
  cache.clock.advance(5000);
  const released = Promise.withResolvers<undefined>();
  behave = async (query) => {
    await released.promise;
    return fresh(query);
  };
  const slow = cache.ask('www.example.');
  await turn();
  cache.clock.advance(1800);
  assert.equal(short(await slow), 'cache NOERROR www.example. 0 IN A 192.0.2.2');
  const others = [cache.ask('www.example.'), cache.ask('WWW.example.')];
  released.resolve(undefined);
  assert.deepEqual((await Promise.all(others)).map(short), [
    'cache NOERROR www.example. 60 IN A 192.0.2.3',
    'cache NOERROR WWW.example. 60 IN A 192.0.2.3',
  ]);
});

test('what is popular is fetched anew before it is over, once, and nobody waits', async () => {
  const cache = caching('cache {\nprefetch 3 1m 10%\n}', counting());
  for (let at = 0; at < 3; at++) await cache.ask('www.example.');
  await cache.ask('rare.example.');
  cache.clock.advance(54_000);
  for (const name of ['www.example.', 'www.example.', 'rare.example.'])
    assert.match(await ask(cache, name), /^cache .* 6 IN A/);
  await turn();
  assert.deepEqual(
    cache.asked.map(({ name }) => name),
    ['www.example.', 'rare.example.', 'www.example.'],
  );
  assert.equal(await ask(cache, 'www.example.'), 'cache NOERROR www.example. 60 IN A 192.0.2.3');
  assert.equal(metric(cache, 'prefetch_total'), '1');
});

test('a gap makes it unpopular', async () => {
  const cache = caching('cache {\nprefetch 3 10s 90%\n}', counting());
  for (let at = 0; at < 3; at++) {
    await cache.ask('www.example.');
    cache.clock.advance(11_000);
  }
  await turn();
  assert.equal(cache.asked.length, 1);
});
