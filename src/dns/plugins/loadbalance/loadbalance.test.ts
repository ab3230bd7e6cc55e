import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { corefileAsker } from '../../corefile-asker.ts';
import { parseRecord } from '../../wire/record-parse.ts';
import { recordText } from '../../wire/record-text.ts';
import type { Record } from '../../wire/message.ts';
import { preferring, roundRobin, weighted } from './order.ts';
import { parseWeights } from './weights.ts';

const records = (...lines: string[]): Record[] =>
  lines.map((line) => {
    const record = parseRecord(line);
    if (typeof record === 'string') throw new Error(record);
    return record;
  });
const inShort = (list: readonly Record[]) => list.map((record) => recordText(record).split(' ').at(-1)).join(' ');

/** Numbers that come round, 0 to 1. */
function* cycle(...numbers: number[]): Generator<number> {
  for (;;) yield* numbers;
}
const randomOf = (...numbers: number[]) => {
  const numbersInTurn = cycle(...numbers);
  return () => numbersInTurn.next().value as number;
};

const MIXED = records(
  'w.test A 10.0.0.1',
  'a.test CNAME w.test',
  'w.test A 10.0.0.2',
  'w.test TXT text',
  'w.test MX 10 m1.test',
  'w.test A 10.0.0.3',
  'w.test MX 10 m2.test',
);

test('aliases come first, addresses and exchangers in an order that chance says', () => {
  assert.equal(inShort(roundRobin(MIXED, () => 0.999)), 'w.test. "text" 10.0.0.1 10.0.0.2 10.0.0.3 m1.test. m2.test.');
  assert.equal(inShort(roundRobin(MIXED, () => 0)), 'w.test. "text" 10.0.0.2 10.0.0.3 10.0.0.1 m2.test. m1.test.');
});

test('each address comes first as often as another', () => {
  const counts = new Map<string, number>();
  for (let turn = 0; turn < 3000; turn++) {
    const first = inShort(roundRobin(MIXED, Math.random)).split(' ')[2] ?? '';
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  assert.equal(counts.size, 3);
  for (const [address, count] of counts) assert.ok(count > 800 && count < 1200, `${address}: ${String(count)} of 3000`);
});

test('addresses of preferred networks go before the others', () => {
  const networks = [{ family: 'IPv4' as const, base: 0x0a000003n, bits: 32 }];
  assert.equal(inShort(preferring(MIXED, networks)), 'w.test. "text" 10.0.0.3 10.0.0.1 10.0.0.2 m1.test. m2.test.');
});

for (const [chance, first] of [
  [0, '10.0.0.1'],
  [0.49, '10.0.0.1'],
  [0.51, '10.0.0.2'],
  [0.67, '10.0.0.3'],
  [0.999, '10.0.0.3'],
] as const) {
  test(`of weights 3, 1 and 2, ${String(chance)} chooses ${first}`, () => {
    const weights = parseWeights('# why\n\nW.test\n10.0.0.1 3\n10.0.0.3 2 # last\nother.test\n10.0.0.1 9\n');
    assert.equal(inShort(weighted(MIXED, weights, randomOf(chance))).split(' ')[2], first);
  });
}

for (const [text, expected] of [
  ['10.0.0.1 3', 'line 1: expected a name before its addresses'],
  ['w.test\n10.0.0.1 0', 'line 2: expected a weight from 1 to 255'],
  ['w.test\n10.0.0.1 256', 'line 2: expected a weight from 1 to 255'],
  ['w.test\nten 3', 'line 2: expected a name, or an address and its weight'],
] as const) {
  test(`refuses the weights ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseWeights(text), { message: expected });
  });
}

const ZONE = `template IN A {
  answer "{{ .Name }} 60 IN A 10.0.0.1" "{{ .Name }} 60 IN A 10.0.0.2" "{{ .Name }} 60 IN A 10.0.0.3"
}`;

test('a limit, a preference and a file of weights are taken from the Corefile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weights-'));
  await writeFile(join(folder, 'w'), 'w.test\n10.0.0.3 255\n');
  const first = async (directive: string) => {
    const asker = await corefileAsker(`. {\nroot ${folder}\n${directive}\n${ZONE}\n}`, { random: () => 0.5 });
    const addresses = (await asker.ask('w.test'))
      .split('\n')
      .slice(2)
      .map((line) => line.split(' ').at(-1));
    await asker.stop();
    return addresses;
  };
  try {
    assert.deepEqual(await first('loadbalance round_robin {\nlimit_answers 2\n}'), ['10.0.0.1', '10.0.0.3']);
    assert.deepEqual((await first('loadbalance {\nprefer 10.0.0.2/32\n}'))[0], '10.0.0.2');
    assert.deepEqual((await first('loadbalance weighted w'))[0], '10.0.0.3');
    await assert.rejects(first('loadbalance weighted gone'), { code: 'ENOENT' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

for (const [directive, expected] of [
  ['loadbalance least', 'Corefile:2: loadbalance: unknown policy "least", there are round_robin, weighted'],
  ['loadbalance weighted', 'Corefile:2: loadbalance: expected a file behind weighted'],
  ['loadbalance round_robin file', 'Corefile:2: loadbalance: round_robin takes no file'],
  ['loadbalance {\nprefer ten\n}', 'Corefile:3: prefer: expected a network such as 10.0.0.0/8, found "ten"'],
  [
    'loadbalance {\nsticky\n}',
    'Corefile:3: loadbalance: unknown option "sticky", there are reload, prefer, limit_answers',
  ],
  ['loadbalance\nloadbalance', 'Corefile:3: loadbalance: may stand once in a server block'],
] as const) {
  test(`refuses ${directive.replaceAll(/\s+/g, ' ')}`, async () => {
    await assert.rejects(corefileAsker(`. {\n${directive}\n}`), { name: 'CorefileError', message: expected });
  });
}
