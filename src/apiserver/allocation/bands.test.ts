import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBand, pickFree, portBand } from './bands.ts';

test('the lower band of addresses is a sixteenth within its bounds (1-099, 1-100)', () => {
  const rows: [size: number, dynamicFrom: number][] = [
    [14, 0],
    [16, 0],
    [17, 16],
    [254, 16],
    [4094, 255],
    [65534, 256],
    [1048574, 256],
  ];
  for (const [size, dynamicFrom] of rows) assert.deepEqual(addressBand(size), { size, dynamicFrom });
});

test('the default node port range is static up to 30085 (1-122)', () => {
  assert.equal(30000 + portBand(2768).dynamicFrom, 30086);
});

test('the upper band is used up before the lower one, and then nothing is left', () => {
  const taken = new Set<number>();
  const band = { size: 40, dynamicFrom: 16 };
  const order: number[] = [];
  for (;;) {
    const offset = pickFree(
      band,
      (each) => taken.has(each),
      (below) => below - 1,
    );
    if (offset === undefined) break;
    taken.add(offset);
    order.push(offset);
  }
  assert.equal(order.length, 40);
  assert.ok(order.slice(0, 24).every((offset) => offset >= 16));
  assert.ok(order.slice(24).every((offset) => offset < 16));
  assert.equal(order[0], 39, 'the scan begins where the random number says');
});
