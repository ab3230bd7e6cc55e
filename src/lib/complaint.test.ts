import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeClock } from './clock.ts';
import { Complaint } from './complaint.ts';

it('tells of trouble at once, of the same once a minute with how often it came, and anew after it was over', () => {
  const clock = new FakeClock(1000);
  const complaint = new Complaint(clock);
  const told: [at: number, text: string, repeats: number][] = [];
  const raise = (text: string) => {
    complaint.raise(text, (repeats) => told.push([clock.now() / 1000 - 1, text, repeats]));
  };
  for (let second = 0; second < 61; second++) {
    raise('no lock');
    clock.advance(1000);
  }
  raise('no table');
  raise('no lock');
  assert.equal(complaint.clear(), true);
  assert.equal(complaint.clear(), false);
  raise('no lock');
  assert.deepEqual(told, [
    [0, 'no lock', 0],
    [60, 'no lock', 59],
    [61, 'no table', 0],
    [61, 'no lock', 0],
    [61, 'no lock', 0],
  ]);
});
