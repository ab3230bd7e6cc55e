import assert from 'node:assert/strict';
import { test } from 'node:test';
import { put } from './contract.ts';
import { createMemoryStore } from './memory.ts';
import { compactInSlices, decideCompaction, RetentionTimer } from './retention.ts';
import { Compacted } from './store.ts';

const keep = { keepMs: 1000, keepRevisions: 100, everyMs: 10 };
const samples = [
  { at: 0, revision: 10 },
  { at: 500, revision: 20 },
  { at: 900, revision: 30 },
];
const cases: [string, number, number, number][] = [
  ['nothing is old enough', 999, 35, 0],
  ['the first sample is just old enough', 1000, 35, 10],
  ['the newest that is old enough counts', 1600, 35, 20],
  ['more than may be kept goes, however young', 999, 1000, 900],
  ['the later of both counts', 1600, 130, 30],
];
for (const [name, now, revision, expected] of cases) {
  test(`${name}: compact to ${String(expected)}`, () => {
    assert.equal(decideCompaction(samples, now, revision, keep), expected);
  });
}

test('slices cover everything exactly once', async () => {
  const slices: [number, number][] = [];
  await compactInSlices(3, 1203, ({ from, through }) => slices.push([from, through]));
  assert.deepEqual(slices, [
    [3, 503],
    [503, 1003],
    [1003, 1203],
  ]);
});

test('a store left alone forgets what is too old by itself', async (context) => {
  const store = createMemoryStore();
  for (let at = 0; at < 150; at += 1) await store.commit([put('/a', String(at))]);
  const compacted = Promise.withResolvers<number>();
  const timer = new RetentionTimer(
    {
      revision: () => store.revision(),
      compact: async (revision) => {
        await store.compact(revision);
        compacted.resolve(revision);
      },
    },
    { keepMs: 60_000, keepRevisions: 100, everyMs: 1 },
  );
  context.after(() => {
    timer.stop();
  });
  const alive = setTimeout(() => {}, 10_000);
  assert.equal(await compacted.promise, 50);
  clearTimeout(alive);
  assert.throws(() => store.watch('/', 49, () => {}), Compacted);
});
