import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

test('the delay doubles per key up to the longest and starts again after a success', () => {
  const backoff = new Backoff({ initial: 10, max: 100 });
  assert.deepEqual(
    Array.from({ length: 6 }, () => backoff.next('a')),
    [10, 20, 40, 80, 100, 100],
  );
  assert.equal(backoff.next('b'), 10);
  assert.equal(backoff.failures('a'), 6);
  backoff.reset('a');
  assert.equal(backoff.next('a'), 10);
});

test('thousands of failures stay at the longest delay', () => {
  const backoff = new Backoff({ initial: 10, max: 100, factor: 3 });
  for (let count = 0; count < 5000; count += 1) backoff.next();
  assert.equal(backoff.next(), 100);
});
