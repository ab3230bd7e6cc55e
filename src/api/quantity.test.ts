import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityValue,
} from './quantity.ts';

const canonical: [given: string, stored: string | undefined][] = [
  ['1', '1'],
  ['0.5', '500m'],
  ['1000m', '1'],
  ['1.5Gi', '1536Mi'],
  ['1024Ki', '1Mi'],
  ['1000', '1k'],
  ['1e3', '1e3'],
  ['100e-3', '100e-3'],
  ['0', '0'],
  ['-250m', '-250m'],
  ['.5', '500m'],
  ['5.', '5'],
  ['1.0000000001', '1000000001n'],
  ['512', '512'],
  ['12E', '12E'],
  ['1Eb', undefined],
  ['', undefined],
  ['.', undefined],
  ['1 Gi', undefined],
  ['abc', undefined],
];
for (const [given, stored] of canonical) {
  test(`the quantity "${given}" is ${stored === undefined ? 'refused' : `stored as "${stored}"`}`, () => {
    assert.equal(canonicalQuantity(given), stored);
  });
}

test('writing and reading again gives the same value', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
      fc.constantFrom('DecimalSI', 'BinarySI', 'DecimalExponent'),
      (nanos, format) => {
        assert.equal(parseQuantity(formatQuantity({ nanos, format: format as 'DecimalSI' }))?.nanos, nanos);
      },
    ),
  );
});

test('quantities compare by value, add up and round up to whole units', () => {
  assert.equal(compareQuantities('1Gi', '1G'), 1);
  assert.equal(compareQuantities('100m', '0.1'), 0);
  assert.equal(compareQuantities(undefined, '1'), -1);
  assert.equal(addQuantities('500m', '1'), '1500m');
  assert.equal(quantityValue('128Mi'), 134217728);
  assert.equal(quantityValue('0.5', 'm'), 500);
  assert.equal(quantityValue('1m'), 1);
});
