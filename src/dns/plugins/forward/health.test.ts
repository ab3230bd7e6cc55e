import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../../lib/clock.ts';
import { Health } from './health.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An upstream that is as well as `isWell` says; probes are told with the time they were made at. */
function patient({ maxFails = 2, intervalMs = 500 } = {}) {
  const clock = new FakeClock();
  const world = { isWell: false, probes: [] as number[], failures: 0, turns: [] as boolean[] };
  const health = new Health({
    clock,
    maxFails,
    intervalMs,
    probe() {
      world.probes.push(clock.now());
      return Promise.resolve(world.isWell);
    },
    onFailure: () => void world.failures++,
    onTurn: (isDown) => void world.turns.push(isDown),
  });
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(100);
      await turn();
    }
  };
  return { world, health, pass };
}

test('nobody is asked how he is before something failed', async () => {
  const { world, pass } = patient();
  await pass(5000);
  assert.deepEqual(world.probes, []);
});

test('after a failure it is asked each 0.5 s until it answers, is down after two, and well after one', async () => {
  const { world, health, pass } = patient();
  health.failed();
  await turn();
  assert.deepEqual([health.isDown, health.isDoubtful], [false, true]);
  await pass(500);
  assert.deepEqual([health.isDown, health.isDoubtful], [true, true]);
  await pass(500);
  world.isWell = true;
  await pass(2000);
  assert.deepEqual([health.isDown, health.isDoubtful], [false, false]);
  assert.deepEqual(world, { isWell: true, probes: [0, 500, 1000, 1500], failures: 3, turns: [true, false] });
});

test('one lost answer makes nobody down', async () => {
  const { world, health, pass } = patient();
  world.isWell = true;
  health.failed();
  await pass(1000);
  assert.deepEqual([health.isDown, health.isDoubtful, world.probes], [false, false, [0]]);
});

test('many failures at once are one round of checks', async () => {
  const { world, health, pass } = patient();
  for (let at = 0; at < 100; at++) health.failed();
  await turn();
  await pass(500);
  assert.deepEqual(world.probes, [0, 500]);
});

test('with max_fails 0 nothing is checked and nobody is down', async () => {
  const { world, health, pass } = patient({ maxFails: 0 });
  health.failed();
  await pass(1000);
  assert.deepEqual([health.isDown, health.isDoubtful, world.probes], [false, false, []]);
});

test('stopped, it asks no more', async () => {
  const { world, health, pass } = patient();
  health.failed();
  await turn();
  health.stop();
  await pass(2000);
  assert.deepEqual(world.probes, [0]);
});
