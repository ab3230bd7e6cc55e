import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration, table } from './text.ts';

test('a table has aligned columns and no trailing blanks', () => {
  const text = table([
    ['NAME', 'READY', 'AGE'],
    ['hostnames-1', '1/1', '5s'],
    ['x', '', ''],
  ]);
  assert.equal(text, 'NAME          READY   AGE\nhostnames-1   1/1     5s\nx\n');
  assert.equal(table([]), '');
});

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;
const y = 365 * d;
const ages: [number, string][] = [
  [-3 * s, '<invalid>'],
  [-1 * s, '0s'],
  [0, '0s'],
  [119_999, '119s'],
  [2 * m, '2m'],
  [2 * m + 5 * s, '2m5s'],
  [10 * m - 1, '9m59s'],
  [10 * m + 59 * s, '10m'],
  [3 * h - 1, '179m'],
  [3 * h, '3h'],
  [3 * h + 7 * m, '3h7m'],
  [8 * h + 59 * m, '8h'],
  [47 * h, '47h'],
  [48 * h, '2d'],
  [50 * h, '2d2h'],
  [8 * d + 23 * h, '8d'],
  [2 * y - 1, '729d'],
  [2 * y, '2y'],
  [2 * y + 3 * d, '2y3d'],
  [8 * y + 300 * d, '8y'],
];
for (const [ms, expected] of ages) {
  test(`${String(ms)} ms is ${expected}`, () => {
    assert.equal(humanDuration(ms), expected);
  });
}
