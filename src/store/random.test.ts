/** Random histories on the file: it must answer as the obvious one in memory does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareKeys, prefixEnd } from './keys.ts';
import { openSqliteStore } from './sqlite.ts';
import { assertAnswersAsMemory } from './testing-random.ts';

test('whatever is done, the file answers as memory does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-random-'));
  let runs = 0;
  const path = () => join(folder, `${String(runs)}.db`);
  try {
    await assertAnswersAsMemory({
      open: () => {
        runs += 1;
        return Promise.resolve(openSqliteStore({ path: path() }));
      },
      reopen: async (store) => {
        await store.close();
        return openSqliteStore({ path: path() });
      },
      atOnce: true,
      numRuns: 150,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a key is below the end of a prefix exactly when it starts with it or sorts before it', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '/', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'),
    maxLength: 4,
  });
  fc.assert(
    fc.property(text, text, (prefix, other) => {
      const end = prefixEnd(prefix);
      const below = end === undefined || compareKeys(other, end) < 0;
      assert.equal(below && compareKeys(other, prefix) >= 0, other.startsWith(prefix));
      assert.equal(Math.sign(compareKeys(prefix, other)), Buffer.compare(Buffer.from(prefix), Buffer.from(other)));
    }),
  );
});
