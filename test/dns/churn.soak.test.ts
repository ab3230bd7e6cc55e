/** The long form of `churn.kernel.test.ts`: minutes of changes, then one death of the API server after another. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { untilReady } from '../support/consistency.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';
import { Arena } from './arena.ts';
import { churn, disagreements } from './churn.ts';

requireOuterNamespace();

const RATES = { changesPerSecond: 100, questionsPerSecond: 2000 };

let arena: Arena;
before(async () => {
  arena = await Arena.prepare(16462, 10_000);
  await arena.open();
});
after(() => arena.close());

test('five minutes of 100 changes a second: every answer was true at most 50 ms ago, and none is lost', async (t) => {
  const { client, asker, names, api, dns } = arena;
  const { neverTrue, ...report } = await churn(names, {
    ...{ client, asker, pids: [api.pid, dns.pid] },
    ...{ ...RATES, seconds: 300 },
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(neverTrue, []);
  assert.equal(report.lost, 0);
  assert.ok(report.worstOwn <= 50, `an answer had not been true for ${String(report.worstOwn)} ms`);
  assert.deepEqual(await disagreements(asker, names), []);
});

test('the API server is killed 20 times: no answer is ever made up, and all are right after each time', async (t) => {
  const { client, asker, names, api, dns } = arena;
  for (let round = 0; round < 20; round++) {
    const killed = (async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2000));
      await api.kill('SIGKILL');
      api.start();
      await untilReady(client);
    })();
    const { neverTrue, ...report } = await churn(names, {
      ...{ client, asker, pids: [dns.pid] },
      ...{ ...RATES, seconds: 6 },
    });
    await killed;
    t.diagnostic(JSON.stringify(report));
    assert.deepEqual(neverTrue, []);
    assert.equal(report.lost, 0);
    const before = performance.now();
    while ((await disagreements(asker, names)).length > 0) {
      assert.ok(performance.now() - before < 20_000, 'the DNS server did not catch up');
    }
  }
});
