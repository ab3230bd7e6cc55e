import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../../lib/clock.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import type { Handler, Query, Reply } from '../../plugin.ts';
import { queryFor, RCODE, replyTo, TYPE, type Question } from '../../wire/message.ts';
import { loopPlugin } from './plugin.ts';
import { HINFO, probeQuestion } from './probe.ts';

const place = { file: 'Corefile', line: 2 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const queryOf = (question: Question): Query => ({
  message: queryFor(1, question),
  question,
  asker: { address: '192.0.2.1', port: 53, transport: 'udp' },
  at: 0,
});
const www: Question = { name: 'www.example.org.', type: TYPE.A, class: 1 };

/** A server block for example.org whose upstream is what `upstream` says, given the way back to the server. */
function world(upstream: (question: Question, back: Handler) => ReturnType<Handler>) {
  const clock = new FakeClock();
  const told: (string | undefined)[] = [];
  const asked: Question[] = [];
  const runtime = fakeRuntime({ clock, onLoop: (message) => void told.push(message) });
  const block = { zones: ['example.org.'], server: 'dns://:53', runtime };
  const instance = loopPlugin.setup([{ name: 'loop', args: [], place }], block);
  const state = { upstream };
  const handler: Handler =
    instance.wrap?.(({ question }) => {
      asked.push(question);
      return state.upstream(question, handler);
    }) ?? assert.fail('it takes no part in answering');
  return {
    state,
    told,
    asked,
    start: async () => instance.start?.(),
    stop: async () => instance.stop?.('end'),
    async ask(question: Question) {
      const reply = await handler(queryOf(question));
      return `${reply?.from ?? ''} ${String(reply?.message.rcode)}`;
    },
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(100);
        await turn();
      }
    },
  };
}

const told = (rcode: number, question: Question): Reply => ({
  message: replyTo(queryFor(1, question), rcode),
  from: 'forward',
});
const healthy = (question: Question): Reply => told(RCODE.NXDOMAIN, question);
const dead = (question: Question): Reply => told(RCODE.SERVFAIL, question);
/** Asks us, as a resolver does whose upstream we are: in letters of its own. */
const looping = (question: Question, back: Handler) =>
  back(queryOf({ ...question, name: question.name.toUpperCase() }));

test('the probe is HINFO of two random numbers in the zone of the block', () => {
  const draws = [0.1, 0.2, 0.3, 0.4];
  const { name, type } = probeQuestion('example.org.', () => draws.shift() ?? 0);
  assert.equal(type, HINFO);
  assert.match(name, /^\d{17,19}\.\d{17,19}\.example\.org\.$/);
  assert.match(probeQuestion('.', Math.random).name, /^\d+\.\d+\.$/);
});

test('an upstream that answers is asked once, and nothing else happens', async () => {
  const { start, pass, asked, told, ask } = world(healthy);
  await start();
  await pass(120_000);
  assert.deepEqual([asked.length, asked[0]?.type, told], [1, HINFO, []]);
  assert.equal(await ask(www), 'forward 3');
});

test('one that does not is asked each 2 s for half a minute', async () => {
  const { start, pass, asked, told } = world(dead);
  await start();
  await pass(120_000);
  assert.deepEqual([asked.length, told], [15, []]);
});

test('a probe that comes back is a loop: told once, with what to do, and nothing is asked of the upstreams', async () => {
  const { start, pass, told, ask, asked } = world(looping);
  await start();
  await pass(1000);
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? '',
    /^"HINFO IN \d+\.\d+\.example\.org\.", asked of the upstreams, came back to dns:\/\/:53: .* Name the real upstream servers in \/etc\/resolv\.conf/,
  );
  const before = asked.length;
  assert.equal(await ask(www), 'loop 2');
  assert.equal(asked.length, before);
});

test('it is looked again whether the loop is gone, and then all is as before', async () => {
  const { state, start, pass, told, ask } = world(looping);
  await start();
  await pass(60_000);
  assert.equal(told.length, 1, 'it was told again');
  state.upstream = healthy;
  await pass(40_000);
  assert.deepEqual([told.length, told[1]], [2, undefined]);
  assert.equal(await ask(www), 'forward 3');
});

test('who sends our probe back to us later does no harm', async () => {
  const { start, pass, asked, told, ask } = world(healthy);
  await start();
  await pass(10_000);
  const [probe] = asked;
  assert.equal(await ask(probe ?? www), 'forward 3');
  assert.deepEqual(told, []);
});

test('other questions of that type are no loop', async () => {
  const { start, pass, told, ask } = world(dead);
  await start();
  await pass(1000);
  await ask({ name: '1.2.example.org.', type: HINFO, class: 1 });
  assert.deepEqual(told, []);
});

test('stopped, it asks no more', async () => {
  const { start, stop, pass, asked } = world(dead);
  await start();
  await pass(1000);
  await stop();
  await pass(10_000);
  assert.equal(asked.length, 1);
});

test('it takes no arguments and stands once', () => {
  const block = { zones: ['.'], server: 'dns://:53', runtime: fakeRuntime() };
  const plain = { name: 'loop', args: [], place };
  assert.throws(() => loopPlugin.setup([{ ...plain, args: ['now'] }], block), {
    message: 'Corefile:2: loop: expected nothing behind it, found "now"',
  });
  assert.throws(() => loopPlugin.setup([plain, { ...plain, place: { ...place, line: 3 } }], block), {
    message: 'Corefile:3: loop: may stand once in a block',
  });
});
