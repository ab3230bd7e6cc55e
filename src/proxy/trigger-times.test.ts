import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { EndpointSlice } from '../api/types.ts';
import { TriggerTimes } from './trigger-times.ts';

const slice = (time?: string): EndpointSlice => ({
  metadata: {
    name: 'web-1',
    ...(time !== undefined && { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time } }),
  },
  addressType: 'IPv4',
  endpoints: [],
});
const at = (second: number) => new Date(second * 1000).toISOString();

it('counts each change of endpoints once, from when it began to watch', () => {
  const times = new TriggerTimes(5000);
  times.add({ type: 'added', object: slice(at(4)) });
  times.add({ type: 'added', object: slice(at(6)) });
  times.add({ type: 'updated', object: slice(at(6)), old: slice(at(6)) });
  times.add({ type: 'updated', object: slice(at(7)), old: slice(at(6)) });
  times.add({ type: 'updated', object: slice(), old: slice(at(7)) });
  times.add({ type: 'updated', object: slice('soon'), old: slice() });
  times.add({ type: 'deleted', object: slice(at(8)) });
  assert.deepEqual(times.take(), [6000, 7000]);
  assert.deepEqual(times.take(), []);
});

it('stays small however long nothing can be written', () => {
  const times = new TriggerTimes(0);
  for (let round = 0; round < 30; round++) {
    for (let second = 0; second < 10_000; second++)
      times.add({ type: 'added', object: slice(at(round * 10_000 + second)) });
    times.giveBack(times.take());
  }
  const taken = times.take();
  assert.equal(taken.length, 10_000);
  assert.equal(taken[0], 0);
});
