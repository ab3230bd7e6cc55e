/** Random histories on both engines: the file must answer as the obvious one in memory does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemoryStore } from './memory.ts';
import { compareKeys, prefixEnd } from './keys.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Operation, Store, StoreEvent } from './store.ts';

const key = fc.constantFrom('/a', '/a/1', '/a/2', '/b', '/b/\u{1f6a2}', '/b/\ufb01');
const expect = fc.option(fc.nat(12), { nil: undefined, freq: 3 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('put' as const), key, value: fc.string({ maxLength: 3 }), expect }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key, expect }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('check' as const), key, expect: fc.nat(12) }) },
);
const operations = fc.uniqueArray(operation, { maxLength: 4, selector: (each) => each.key });
const list = fc.record(
  {
    prefix: fc.constantFrom('', '/', '/a', '/a/', '/b/', '/zz'),
    after: fc.option(key, { nil: undefined }),
    limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    atRevision: fc.option(fc.nat(30), { nil: undefined }),
  },
  { requiredKeys: ['prefix'] },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ commits: fc.array(operations, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ list }) },
  {
    weight: 2,
    arbitrary: fc.record({ watch: fc.record({ prefix: fc.constantFrom('', '/a', '/b/'), after: fc.nat(30) }) }),
  },
  { weight: 1, arbitrary: fc.record({ compact: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ reopen: true as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does one step and says what came of it, refusals included. */
async function run(store: Store, each: Step, watched: StoreEvent[][]): Promise<unknown> {
  const outcome = (promise: Promise<unknown>) =>
    promise.catch((error: unknown) => ({ ...(error as object), text: String(error) }));
  if ('commits' in each) return Promise.all(each.commits.map((commit) => outcome(store.commit(commit))));
  if ('list' in each) {
    const { prefix, ...options } = each.list;
    return outcome(
      store.list(prefix, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))),
    );
  }
  if ('watch' in each) {
    return outcome(
      (async () => {
        const events: StoreEvent[] = [];
        await Promise.resolve();
        store.watch(each.watch.prefix, each.watch.after, (more) => events.push(...more));
        watched.push(events);
      })(),
    );
  }
  if ('compact' in each) return outcome(store.compact(each.compact));
  return undefined;
}

test('whatever is done, the file answers as memory does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-random-'));
  let runs = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const path = join(folder, `${String((runs += 1))}.db`);
        const memory = createMemoryStore();
        let file = openSqliteStore({ path });
        let watched: [StoreEvent[][], StoreEvent[][]] = [[], []];
        try {
          for (const each of steps) {
            if ('reopen' in each) {
              // Watches end with the store they were opened on: compare what both have seen up to here.
              await settle();
              assert.deepEqual(watched[1], watched[0]);
              watched = [[], []];
              await file.close();
              file = openSqliteStore({ path });
              continue;
            }
            assert.deepEqual(await run(file, each, watched[1]), await run(memory, each, watched[0]));
            assert.equal(file.revision(), memory.revision());
          }
          await settle();
          assert.deepEqual(watched[1], watched[0]);
          assert.deepEqual(await file.list(''), await memory.list(''));
        } finally {
          await file.close();
        }
      }),
      { numRuns: 150 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const settle = async () => {
  for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
};

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
