import assert from 'node:assert/strict';
import test from 'node:test';
import { policyOf } from './policy.ts';

const orders = (policy: ReturnType<typeof policyOf>, times: number, list = ['a', 'b', 'c']) =>
  Array.from({ length: times }, () => policy(list).join(''));

test('sequential asks in the order they stand, each time', () => {
  assert.deepEqual(orders(policyOf('sequential', Math.random), 2), ['abc', 'abc']);
});

test('round_robin begins with the next one each time', () => {
  assert.deepEqual(orders(policyOf('round_robin', Math.random), 4), ['abc', 'bca', 'cab', 'abc']);
});

test('random gives every order, each about as often', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
  const counts = Map.groupBy(orders(policyOf('random', random), 6000), (order) => order);
  assert.equal(counts.size, 6);
  for (const [order, { length }] of counts) assert.ok(length > 850 && length < 1150, `${order}: ${String(length)}`);
});

test('an empty list has an empty order', () => {
  for (const name of ['random', 'round_robin', 'sequential'] as const)
    assert.deepEqual(policyOf(name, () => 0)([]), []);
});
