import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { SegmentedMap } from './segmented-map.ts';

const light = { weight: 1 };

test('of the entries those that nobody asked for again make room first', () => {
  let evicted = 0;
  const map = new SegmentedMap(10, 1000, () => void evicted++);
  for (const key of ['popular', 'rare']) map.set(key, light);
  map.get('popular');
  for (let at = 0; at < 1000; at++) map.set(`flood-${String(at)}`, light);
  assert.deepEqual([map.size, map.get('popular'), map.get('rare'), evicted], [10, light, undefined, 992]);
});

test('a flood that asks twice drives out only what is used less', () => {
  const map = new SegmentedMap(10, 1000);
  map.set('popular', light);
  for (let at = 0; at < 1000; at++) {
    map.set(`flood-${String(at)}`, light);
    map.get(`flood-${String(at)}`);
    map.get('popular');
  }
  assert.equal(map.get('popular'), light);
});

test('what weighs too much is not kept, and drives out no more than it must', () => {
  const map = new SegmentedMap(10, 100);
  map.set('small', { weight: 10 });
  map.set('large', { weight: 95 });
  assert.deepEqual([map.size, map.bytes], [1, 95]);
  map.set('huge', { weight: 101 });
  assert.deepEqual([map.size, map.bytes], [0, 0]);
});

test('it never holds more than it may, and gives what was put in last', () => {
  const step = fc.record({
    verb: fc.constantFrom('get', 'set', 'delete'),
    key: fc.integer({ min: 0, max: 20 }).map(String),
    weight: fc.integer({ min: 0, max: 40 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const map = new SegmentedMap<{ weight: number }>(capacity, 100);
      const last = new Map<string, { weight: number }>();
      for (const { verb, key, weight } of steps) {
        if (verb === 'set') {
          last.set(key, { weight });
          map.set(key, last.get(key) ?? light);
        } else if (verb === 'delete') {
          map.delete(key);
          assert.equal(map.peek(key), undefined);
        } else {
          const found = map.get(key);
          assert.ok(found === undefined || found === last.get(key));
        }
        const held = [...last.keys()].flatMap((each) => map.peek(each) ?? []);
        assert.equal(held.length, map.size);
        assert.equal(
          held.reduce((sum, each) => sum + each.weight, 0),
          map.bytes,
        );
        assert.ok(map.size <= capacity && map.bytes <= 100);
      }
    }),
  );
});
