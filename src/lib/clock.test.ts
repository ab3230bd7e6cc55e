import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realClock } from './clock.ts';

const DAY = 24 * 3600 * 1000;
const LONGEST = 2 ** 31 - 1;

test('a timer may be longer than the 25 days the platform knows', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let fired = 0;
  realClock.after(60 * DAY, () => fired++);
  // in parts, because a timer made while the mock ticks counts from the end of the tick
  for (const part of [LONGEST, LONGEST, 60 * DAY - 2 * LONGEST - 1]) t.mock.timers.tick(part);
  assert.equal(fired, 0);
  t.mock.timers.tick(1);
  assert.equal(fired, 1);
});

test('a long timer is cancelled in any part of it', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let fired = 0;
  const cancel = realClock.after(60 * DAY, () => fired++);
  t.mock.timers.tick(30 * DAY);
  cancel();
  t.mock.timers.tick(90 * DAY);
  assert.equal(fired, 0);
});
