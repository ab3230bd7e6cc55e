import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../wire/message.ts';
import { lookUp, outcomeOf, type Heard } from './lookup.ts';
import { readSettings } from './resolver-settings.ts';
import type { Outcome } from './search-list.ts';

const CONF = 'search a.test b.test\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:2\n';
const settings = { glibc: readSettings(CONF, 'glibc'), musl: readSettings(CONF, 'musl') };

const heard = (name: string, type: number, server: string, outcome: Outcome): Heard => ({
  ...{ id: 1, name, type, server, outcome },
  ...{ transport: 'udp', answers: [], ms: 1 },
});

/** Keeps the questions as `SERVER NAME TYPE`. */
function asker(outcomes: Readonly<Record<string, Outcome>>) {
  const asked: string[] = [];
  const ask = (name: string, types: readonly number[], server: string) =>
    Promise.resolve(
      types.map((type) => {
        const key = `${server} ${name} ${type === TYPE.A ? 'A' : 'AAAA'}`;
        asked.push(key);
        return heard(name, type, server, outcomes[key] ?? 'nxdomain');
      }),
    );
  return { asked, ask };
}

const types = [TYPE.A, TYPE.AAAA];

test('the first server is asked for all types of each candidate, until one is found', async () => {
  const { asked, ask } = asker({ '192.0.2.1 web.b.test. A': 'found', '192.0.2.1 web.b.test. AAAA': 'nodata' });
  const { steps, endings } = await lookUp({ name: 'web', types, settings }, ask);
  assert.deepEqual(asked, [
    '192.0.2.1 web.a.test. A',
    '192.0.2.1 web.a.test. AAAA',
    '192.0.2.1 web.b.test. A',
    '192.0.2.1 web.b.test. AAAA',
  ]);
  assert.deepEqual(
    steps.map(({ candidate, outcome }) => [candidate.name, outcome]),
    [
      ['web.a.test.', 'nxdomain'],
      ['web.b.test.', 'found'],
    ],
  );
  assert.deepEqual(endings, { glibc: { verdict: 'found', tried: 2 }, musl: { verdict: 'found', tried: 2 } });
});

test('the next server is asked for what the first did not answer, and no more', async () => {
  const { asked, ask } = asker({
    '192.0.2.1 web.a.test. A': 'found',
    '192.0.2.1 web.a.test. AAAA': 'servfail',
    '192.0.2.2 web.a.test. AAAA': 'nodata',
  });
  const { steps, endings } = await lookUp({ name: 'web', types, settings }, ask);
  assert.deepEqual(asked, ['192.0.2.1 web.a.test. A', '192.0.2.1 web.a.test. AAAA', '192.0.2.2 web.a.test. AAAA']);
  assert.equal(steps[0]?.heard.length, 3);
  assert.equal(endings.musl.verdict, 'found');
});

test('what only musl would ask is asked too, and marked', async () => {
  const long = `search ${'x'.repeat(60)}.${'y'.repeat(60)}.test ${'z'.repeat(60)}.${'w'.repeat(63)}.test\nnameserver 192.0.2.1\n`;
  const both = { glibc: readSettings(long, 'glibc'), musl: readSettings(long, 'musl') };
  const { ask } = asker({ [`192.0.2.1 web.${'x'.repeat(60)}.${'y'.repeat(60)}.test. A`]: 'found' });
  const { steps, endings } = await lookUp({ name: 'web', types: [TYPE.A], settings: both }, ask);
  assert.deepEqual(
    steps.map(({ candidate, onlyMusl }) => [candidate.search === undefined, onlyMusl]),
    [
      [false, undefined],
      [true, true],
    ],
  );
  assert.deepEqual([endings.glibc.verdict, endings.musl.verdict], ['found', 'EAI_NONAME']);
});

const OUTCOMES: readonly [a: Outcome, aaaa: Outcome, glibc: Outcome, musl: Outcome][] = [
  ['found', 'nodata', 'found', 'found'],
  ['nodata', 'found', 'found', 'found'],
  ['found', 'servfail', 'found', 'servfail'],
  ['found', 'silence', 'found', 'silence'],
  ['nxdomain', 'nxdomain', 'nxdomain', 'nxdomain'],
  ['found', 'nxdomain', 'found', 'nxdomain'],
  ['nodata', 'silence', 'silence', 'silence'],
  ['nodata', 'nodata', 'nodata', 'nodata'],
];

for (const [a, aaaa, glibc, musl] of OUTCOMES) {
  test(`A ${a} and AAAA ${aaaa} are ${glibc} for glibc and ${musl} for musl`, () => {
    const both = [heard('x.', TYPE.A, '192.0.2.1', a), heard('x.', TYPE.AAAA, '192.0.2.1', aaaa)];
    assert.deepEqual([outcomeOf(both, 'glibc'), outcomeOf(both, 'musl')], [glibc, musl]);
  });
}
