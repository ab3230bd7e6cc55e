import assert from 'node:assert/strict';
import { it } from 'node:test';
import { atOnce, inTurns, type Work } from './in-turns.ts';

function* counting(to: number, seen: number[]): Work<string> {
  for (let at = 1; at <= to; at++) {
    seen.push(at);
    yield;
  }
  return 'done';
}

it('lets others have their turn between two pieces', async () => {
  const seen: number[] = [];
  const ending = inTurns(counting(3, seen));
  assert.deepEqual(seen, [1]);
  setImmediate(() => seen.push(0));
  assert.equal(await ending, 'done');
  assert.deepEqual(seen, [1, 2, 0, 3]);
});

it('does all pieces at once where nobody waits', () => {
  const seen: number[] = [];
  assert.equal(atOnce(counting(3, seen)), 'done');
  assert.deepEqual(seen, [1, 2, 3]);
});
