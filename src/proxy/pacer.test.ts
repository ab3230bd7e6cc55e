import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { Pacer } from './pacer.ts';

/** Lets promises that are ready run on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(took = 0) {
  const clock = new FakeClock(1000);
  const starts: number[] = [];
  const errors: unknown[] = [];
  const state = { fail: false };
  const pacer = new Pacer({
    clock,
    onError: (error) => errors.push(error),
    run: () => {
      starts.push(clock.now());
      if (state.fail) return Promise.reject(new Error('no'));
      return took === 0 ? Promise.resolve() : new Promise((resolve) => clock.after(took, resolve));
    },
  });
  return { clock, starts, errors, state, pacer };
}

it('syncs at once after a quiet time, and takes a burst together', async () => {
  const { clock, starts, pacer } = setUp();
  for (let at = 0; at < 100; at++) pacer.trigger();
  clock.advance(0);
  await settle();
  assert.deepEqual(starts, [1000]);
  clock.advance(1000);
  assert.deepEqual(starts, [1000], 'nothing changed since');
});

it('rests as long as a sync took, but never longer than 50 ms', async () => {
  for (const [took, rest] of [
    [20, 20],
    [400, 50],
  ] as const) {
    const { clock, starts, pacer } = setUp(took);
    pacer.trigger();
    clock.advance(0);
    pacer.trigger();
    clock.advance(took);
    await settle();
    clock.advance(rest - 1);
    assert.equal(starts.length, 1);
    clock.advance(1);
    assert.deepEqual(starts, [1000, 1000 + took + rest]);
  }
});

it('tries a failed sync again with growing delays, and forgets them after a success', async () => {
  const { clock, starts, errors, state, pacer } = setUp();
  state.fail = true;
  pacer.trigger();
  for (const wait of [0, 100, 200, 400]) {
    clock.advance(wait);
    await settle();
  }
  assert.deepEqual(starts, [1000, 1100, 1300, 1700]);
  assert.equal(errors.length, 4);
  state.fail = false;
  clock.advance(800);
  await settle();
  clock.advance(0);
  state.fail = true;
  pacer.trigger();
  clock.advance(0);
  await settle();
  clock.advance(100);
  assert.deepEqual(starts.slice(4), [2500, 2500, 2600]);
});

it('does nothing once stopped', async () => {
  const { clock, starts, pacer } = setUp();
  pacer.trigger();
  await pacer.stop();
  pacer.trigger();
  clock.advance(1000);
  assert.deepEqual(starts, []);
});

it('lets a change cut a long wait after failures short, to one try a second', async () => {
  const { clock, starts, state, pacer } = setUp();
  state.fail = true;
  pacer.trigger();
  for (const wait of [0, 100, 200, 400, 800, 1600]) {
    clock.advance(wait);
    await settle();
  }
  const failed = clock.now();
  clock.advance(300);
  for (let at = 0; at < 10; at++) pacer.trigger();
  clock.advance(699);
  assert.equal(starts.at(-1), failed);
  clock.advance(1);
  await settle();
  assert.equal(starts.at(-1), failed + 1000);
  clock.advance(5000);
  pacer.trigger();
  clock.advance(0);
  assert.equal(starts.at(-1), failed + 6000);
});
