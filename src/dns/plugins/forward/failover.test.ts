/** Real sockets on the loopback link. Times are measured and bounded by what is promised: an answer within a second. */
import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { extendedErrorOf } from '../../wire/extended-error.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { recordText } from '../../wire/record-text.ts';
import { fakeUpstream, recordOf, type Answering, type FakeUpstream } from './fake-upstream.ts';
import { forwarding, type Forwarding } from './forwarding.ts';

const open: { close(): Promise<void> }[] = [];
after(async () => {
  for (const each of open) await each.close();
});

const good: Answering = ({ query }) => ({
  ...replyTo(query, RCODE.NOERROR),
  answers: [recordOf(`${query.questions[0]?.name ?? ''} 60 A 192.0.2.1`)],
});
const silent: Answering = () => undefined;

async function server(answer: Answering): Promise<FakeUpstream> {
  const fake = await fakeUpstream(answer);
  open.push(fake);
  return fake;
}

async function forwardTo(text: string): Promise<Forwarding> {
  const forward = await forwarding(text);
  open.push({ close: () => forward.stop() });
  return forward;
}

/** With the right id, and a name that ends in nothing. */
const garbage: Answering = ({ query: { id } }) => Buffer.of(id >> 8, id & 255, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0);

/** A port nobody listens at. */
async function closedPort(): Promise<string> {
  const fake = await fakeUpstream(silent);
  await fake.close();
  return fake.to;
}

/** What is promised to who asks while an upstream is dead. */
const PROMISED_MS = 1000;
const ANSWER = 'NOERROR www.example. 60 IN A 192.0.2.1';

const later =
  (ms: number): Answering =>
  (asked) =>
    new Promise((resolve) => {
      setTimeout(() => resolve(good(asked)), ms).unref();
    });

// At once, for they mostly wait.
suite('a dead upstream', { concurrency: true }, () => {
  for (const [how, dead] of [
    ['is not there', closedPort],
    ['swallows questions', async () => (await server(silent)).to],
    ['takes three seconds', async () => (await server(later(3000))).to],
    ['answers with garbage', async () => (await server(garbage)).to],
  ] as const) {
    for (const options of ['', 'force_tcp']) {
      test(`the first question ever is answered within a second where the first server ${how}${options && `, with ${options}`}`, async () => {
        const { to } = await server(good);
        const gone = await dead();
        // A machine that is busy with other tests may keep us waiting: the least of three first questions counts.
        const took: number[] = [];
        while (took.length < 3 && !(Math.min(...took) < PROMISED_MS)) {
          const forward = await forwardTo(`forward . ${gone} ${to} {\npolicy sequential\n${options}\n}`);
          const { ms, source, message } = await forward.ask('www.example.');
          assert.deepEqual([source, message.answers.map(recordText)], [to, ['www.example. 60 IN A 192.0.2.1']]);
          took.push(ms);
        }
        assert.ok(Math.min(...took) < PROMISED_MS, `${took.join(', ')} ms`);
      });
    }
  }

  test('once a server failed the others come first, and it is asked again when a health check was answered', async () => {
    const [first, second] = [await server(silent), await server(good)];
    const forward = await forwardTo(`forward . ${first.to} ${second.to} {\npolicy sequential\nhealth_check 50ms\n}`);
    await forward.ask('www.example.');
    const questions = first.questions.length;
    for (let at = 0; at < 5; at++) assert.equal((await forward.ask('www.example.')).source, second.to);
    assert.equal(first.questions.length, questions, 'it was asked though it just failed');
    first.answer = good;
    const deadline = Date.now() + 10_000;
    let by: string | undefined;
    while (by !== first.to && Date.now() < deadline) {
      by = (await forward.ask('www.example.')).source;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(by, first.to);
    const probe = first.asked.find(({ query }) => query.questions[0]?.name === '.')?.query;
    assert.deepEqual([probe?.questions[0]?.type, probe?.recursionDesired, probe?.edns], [2, true, undefined]);
  });

  test('with all down one is tried all the same, or none where one likes', async () => {
    const to = await closedPort();
    const counted = async (option: string) => {
      const forward = await forwardTo(`forward . ${to} {\nmax_fails 1\nhealth_check 50ms\n${option}\n}`);
      assert.equal(await forward.short('www.example.'), 'SERVFAIL');
      const broken = () =>
        /^coredns_forward_healthcheck_broken_total (\d+)$/m.exec(forward.runtime.metrics.render())?.[1];
      const deadline = Date.now() + 10_000;
      let steps: string[] = [];
      while (broken() === '0' && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        steps = (await forward.ask('www.example.')).trail.map(({ text }) => text);
      }
      assert.notEqual(broken(), '0');
      assert.match(
        forward.runtime.metrics.render(),
        new RegExp(`coredns_proxy_healthcheck_failures_total\\{proxy_name="forward",to="${to}"\\} [1-9]`),
      );
      return steps;
    };
    assert.deepEqual(await counted(''), [`${to} refused the connection (nothing listens there)`]);
    assert.deepEqual(await counted('failfast_all_unhealthy_upstreams'), ['no upstream is well']);
  });

  test('nobody answers: it is told before the asker gives up, with what each server did', async () => {
    const [hole, gone] = [await server(silent), await closedPort()];
    const forward = await forwardTo(`forward . ${hole.to} ${gone} {\npolicy sequential\n}`);
    const edns = { size: 1232, version: 0, dnssecOk: false };
    const { message, trail, ms, transient } = await forward.ask('www.example.', { change: { edns } });
    assert.deepEqual([message.rcode, transient], [RCODE.SERVFAIL, true]);
    assert.ok(ms < 5000, `${String(ms)} ms`);
    assert.equal(extendedErrorOf(message)?.code, 22);
    const texts = trail.map(({ text }) => text);
    assert.ok(texts.includes(`${gone} refused the connection (nothing listens there)`), texts.join('\n'));
    assert.ok(texts.includes(`${hole.to} did not answer within 2 s`), texts.join('\n'));
  });

  test('one lost packet is asked for again', async () => {
    let count = 0;
    const lossy = await server((asked) => (++count === 1 ? undefined : good(asked)));
    const forward = await forwardTo(`forward . ${lossy.to}`);
    assert.equal(await forward.short('www.example.'), ANSWER);
    assert.equal(lossy.questions.length, 2);
  });
});
