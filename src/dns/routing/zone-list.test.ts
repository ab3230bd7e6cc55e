import assert from 'node:assert/strict';
import test from 'node:test';
import { isInZone, longestZone, parseFallthrough } from './zone-list.ts';

for (const [name, zone, expected] of [
  ['www.example.org.', 'example.org.', true],
  ['EXAMPLE.org.', 'example.org.', true],
  ['wwwexample.org.', 'example.org.', false],
  ['org.', 'example.org.', false],
  ['anything.', '.', true],
  ['.', '.', true],
  ['.', 'org.', false],
  ['a\\.example.org.', 'example.org.', false],
  ['a\\\\.example.org.', 'example.org.', true],
] as const) {
  test(`${name} is ${expected ? '' : 'not '}in ${zone}`, () => {
    assert.equal(isInZone(name, zone), expected);
  });
}

test('of several zones the longest counts', () => {
  assert.equal(longestZone(['.', 'org.', 'example.org.'], 'a.Example.org.'), 'example.org.');
  assert.equal(longestZone(['org.', 'net.'], 'example.com.'), undefined);
});

test('fallthrough is for all names, or those of its zones', () => {
  const fallthrough = (...args: string[]) =>
    parseFallthrough({ name: 'fallthrough', args, place: { file: 'Corefile', line: 1 } });
  assert.equal(fallthrough()('a.test.'), true);
  assert.deepEqual(
    ['a.test.', '1.0.0.10.in-addr.arpa.', '1.0.0.11.in-addr.arpa.'].map(fallthrough('10.0.0.0/8', 'other.test')),
    [false, true, false],
  );
});
