/** Random histories on an engine and on the obvious one in memory, which must answer alike. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { createMemoryStore } from './memory.ts';
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
async function run(store: Store, each: Step, watched: StoreEvent[][], atOnce: boolean): Promise<unknown> {
  const outcome = (promise: Promise<unknown>) =>
    promise.catch((error: unknown) => ({ ...(error as object), text: String(error) }));
  if ('commits' in each)
    return atOnce
      ? Promise.all(each.commits.map((commit) => outcome(store.commit(commit))))
      : inTurn(each.commits, (commit) => outcome(store.commit(commit)));
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

async function inTurn<T>(all: readonly T[], run: (each: T) => Promise<unknown>): Promise<unknown[]> {
  const outcomes = [];
  for (const each of all) outcomes.push(await run(each));
  return outcomes;
}

export interface RandomEngine {
  /** A new, empty store. */
  open(): Promise<Store>;
  reopen(store: Store): Promise<Store>;
  /** Commits sent together happen in the order they were sent. */
  readonly atOnce: boolean;
  readonly numRuns: number;
}

export async function assertAnswersAsMemory({ open, reopen, atOnce, numRuns }: RandomEngine): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const memory = createMemoryStore();
      let store = await open();
      let watched: [StoreEvent[][], StoreEvent[][]] = [[], []];
      const compareWatched = async () => {
        await settle();
        // What a server of its own has yet to say of the past.
        for (let turn = 0; turn < 200 && !isDeepStrictEqual(watched[1], watched[0]); turn += 1) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        assert.deepEqual(watched[1], watched[0]);
      };
      try {
        for (const each of steps) {
          if ('reopen' in each) {
            // Watches end with the store they were opened on: compare what both have seen up to here.
            await compareWatched();
            watched = [[], []];
            store = await reopen(store);
            continue;
          }
          assert.deepEqual(await run(store, each, watched[1], atOnce), await run(memory, each, watched[0], atOnce));
          assert.equal(store.revision(), memory.revision());
        }
        await compareWatched();
        assert.deepEqual(await store.list(''), await memory.list(''));
      } finally {
        await store.close();
      }
    }),
    { numRuns },
  );
}

const settle = async () => {
  for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate);
};
