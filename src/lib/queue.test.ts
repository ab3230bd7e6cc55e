import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './clock.ts';
import { WorkQueue, done, retryAfter, stuck, type Outcome } from './queue.ts';

function recorder(outcomes: (Outcome | Error)[] = []) {
  const runs: string[] = [];
  const reconcile = (key: string): Promise<Outcome> => {
    runs.push(key);
    const outcome = outcomes.shift() ?? done;
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  return { runs, reconcile };
}

test('keys wait for start, each runs once, in the order added', async () => {
  const { runs, reconcile } = recorder();
  const queue = new WorkQueue({ reconcile });
  for (const key of ['b', 'a', 'b']) queue.add(key);
  assert.deepEqual(runs, []);
  queue.start();
  await queue.idle();
  assert.deepEqual(runs, ['b', 'a']);
});

test('a key added while it runs runs once more, never beside itself', async () => {
  const gates: (() => void)[] = [];
  let running = 0;
  let runs = 0;
  const queue = new WorkQueue({
    concurrency: 4,
    reconcile: async () => {
      running += 1;
      runs += 1;
      assert.equal(running, 1);
      await new Promise<void>((resolve) => gates.push(resolve));
      running -= 1;
      return done;
    },
  });
  queue.start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  gates.shift()?.();
  await new Promise(setImmediate);
  assert.equal(runs, 2);
  gates.shift()?.();
  await queue.idle();
  assert.equal(runs, 2);
});

test('no more keys run at once than allowed', async () => {
  let running = 0;
  let most = 0;
  const queue = new WorkQueue({
    concurrency: 3,
    reconcile: async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      return done;
    },
  });
  for (let key = 0; key < 20; key += 1) queue.add(String(key));
  queue.start();
  await queue.idle();
  assert.equal(most, 3);
});

test('a throw is tried again after a growing delay, a success resets it', async () => {
  const clock = new FakeClock();
  const { runs, reconcile } = recorder([new Error('one'), new Error('two'), done, new Error('three'), done]);
  const queue = new WorkQueue({ reconcile, clock, backoff: { initial: 10, max: 1000 } });
  queue.start();
  const runsAfter = async (ms: number) => {
    clock.advance(ms);
    await queue.idle();
    return runs.length;
  };
  queue.add('a');
  assert.equal(await runsAfter(0), 1);
  assert.equal(await runsAfter(9), 1);
  assert.equal(await runsAfter(1), 2);
  assert.equal(await runsAfter(19), 2);
  assert.equal(await runsAfter(1), 3);
  queue.add('a');
  assert.equal(await runsAfter(0), 4);
  assert.equal(await runsAfter(10), 5);
});

test('retryAfter looks again at its time; of several times the earliest counts', async () => {
  const clock = new FakeClock();
  const { runs, reconcile } = recorder([retryAfter(100)]);
  const queue = new WorkQueue({ reconcile, clock });
  queue.start();
  queue.add('a');
  await queue.idle();
  queue.addAfter('a', 50);
  queue.addAfter('a', 200);
  clock.advance(49);
  await queue.idle();
  assert.equal(runs.length, 1);
  clock.advance(1);
  await queue.idle();
  assert.equal(runs.length, 2);
  clock.advance(1000);
  await queue.idle();
  assert.equal(runs.length, 2);
});

test('a stuck key is reported until it is done', async () => {
  const { reconcile } = recorder([stuck('no free address'), done]);
  const queue = new WorkQueue({ reconcile });
  queue.start();
  queue.add('a');
  await queue.idle();
  assert.deepEqual([...queue.stuckKeys], [['a', 'no free address']]);
  queue.add('a');
  await queue.idle();
  assert.equal(queue.stuckKeys.size, 0);
});

test('stop forgets what waits and lets the running key end', async () => {
  const clock = new FakeClock();
  let release = () => {};
  const runs: string[] = [];
  const queue = new WorkQueue({
    clock,
    reconcile: async (key) => {
      runs.push(key);
      await new Promise<void>((resolve) => (release = resolve));
      runs.push(`${key} ended`);
      return retryAfter(5);
    },
  });
  queue.start();
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  const stopped = queue.stop();
  queue.add('d');
  release();
  await stopped;
  clock.advance(1000);
  await queue.idle();
  assert.deepEqual(runs, ['a', 'a ended']);
});
