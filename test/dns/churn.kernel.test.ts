/** Never wrong at the edges: before the first list, under churn, over a name that was just missing, and over the death of the API server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { untilReady } from '../support/consistency.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';
import { Arena } from './arena.ts';
import { churn, change, disagreements, questionOf } from './churn.ts';

requireOuterNamespace();

const RATES = { changesPerSecond: 100, questionsPerSecond: 1000 };
/** ms for which an answer may outlive what it says. */
const LAG = 50;

let arena: Arena;
before(async () => {
  arena = await Arena.prepare(16461, 10_000);
});
after(() => arena.close());

test('before the first list every name of the cluster is SERVFAIL, there or not, and afterwards all are known', async () => {
  const { asker, names, dns } = arena;
  const asked = [...names.slice(0, 50).map(questionOf), ['nope.default.svc.cluster.local.', 'A'] as const];
  const values = await Promise.all(asked.map(([name, type]) => asker.ask(name, type)));
  assert.deepEqual([...new Set(values)], ['SERVFAIL']);
  assert.equal(dns.isReady, false);
  await arena.open();
  assert.deepEqual(await disagreements(asker, names), []);
});

test('while 10,000 Services change 100 times a second, every answer was true at most 50 ms ago, and none is lost', async (t) => {
  const { client, asker, names, api, dns } = arena;
  const { neverTrue, ...report } = await churn(names, {
    ...{ client, asker, pids: [api.pid, dns.pid] },
    ...{ ...RATES, seconds: 3 },
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(neverTrue, []);
  assert.equal(report.lost, 0);
  assert.ok(report.questions > 200 && report.changes > 50, 'too little was asked and changed to prove anything');
  assert.ok(report.worstOwn <= LAG, `an answer had not been true for ${String(report.worstOwn)} ms`);
  assert.deepEqual(await disagreements(asker, names), []);
});

test('Corefiles take over from one another meanwhile: no question is lost, and no name is missing for a moment', async (t) => {
  const { client, asker, names, api, dns } = arena;
  const reloading = setInterval(() => {
    dns.reload();
  }, 100);
  const { neverTrue, ...report } = await churn(names, {
    ...{ client, asker, pids: [api.pid, dns.pid] },
    ...{ ...RATES, seconds: 2 },
  });
  clearInterval(reloading);
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(neverTrue, []);
  assert.equal(report.lost, 0);
  assert.ok(report.worstOwn <= LAG, `an answer had not been true for ${String(report.worstOwn)} ms`);
});

test('a name that was just asked for and missing is there as soon as it is made', async () => {
  const { client, asker, names } = arena;
  const missing = names.filter(({ sort, truth }) => sort === 'address' && truth.now === 'NXDOMAIN').slice(0, 20);
  assert.ok(missing.length > 5);
  for (const name of missing) {
    assert.equal(await asker.ask(...questionOf(name)), 'NXDOMAIN');
    await change(client, name);
    const made = performance.now();
    while ((await asker.ask(...questionOf(name))) !== name.truth.now) {
      assert.ok(performance.now() - made < 2000, `${name.service} is still missing`);
    }
  }
});

test('the API server is killed while names change: no answer is made up, and all are right soon after it is back', async (t) => {
  const { client, asker, names, api, dns } = arena;
  const killed = (async () => {
    await new Promise((resolve) => setTimeout(resolve, 700));
    await api.kill('SIGKILL');
    api.start();
    await untilReady(client);
  })();
  const { neverTrue, ...report } = await churn(names, {
    ...{ client, asker, pids: [dns.pid] },
    ...{ ...RATES, seconds: 3 },
  });
  await killed;
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(neverTrue, []);
  assert.equal(report.lost, 0);
  assert.ok(report.unknown > 0, 'no write was under way when the server died');
  const before = performance.now();
  while ((await disagreements(asker, names)).length > 0) {
    assert.ok(performance.now() - before < 20_000, 'the DNS server did not catch up');
  }
});
