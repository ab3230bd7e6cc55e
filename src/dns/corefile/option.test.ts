import assert from 'node:assert/strict';
import test from 'node:test';
import { expectArgs, expectNumber, expectOnce, parseDuration, readOptions } from './option.ts';

for (const [text, expected] of [
  ['5s', 5000],
  ['1m30s', 90_000],
  ['100ms', 100],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['250us', 0.25],
  ['0', 0],
  ['0s', 0],
  ['-2s', -2000],
  ['+2s', 2000],
  ['5', undefined],
  ['s', undefined],
  ['', undefined],
  ['5 s', undefined],
  ['5sec', undefined],
  ['1h-5s', undefined],
  [`${'9'.repeat(400)}s`, undefined],
] as const) {
  test(`${text.slice(0, 20)} is ${expected === undefined ? 'no time' : `${String(expected)} ms`}`, () => {
    assert.equal(parseDuration(text), expected);
  });
}

const place = { file: 'Corefile', line: 3 };
const directive = (...args: string[]) => ({ name: 'cache', args, place });

for (const [why, read, expected] of [
  ['too few arguments', () => expectArgs(directive(), 1, 2, 'a zone'), 'cache: expected a zone'],
  ['too many', () => expectArgs(directive('a', 'b'), 0, 1, 'a zone'), 'cache: expected a zone, found "a b"'],
  [
    'a number too large',
    () => expectNumber(directive(), '9', 1, 5),
    'cache: expected a whole number from 1 to 5, found "9"',
  ],
  [
    'a number with a point',
    () => expectNumber(directive(), '1.5', 1, 5),
    'cache: expected a whole number from 1 to 5, found "1.5"',
  ],
  [
    'no number',
    () => expectNumber(directive(), undefined, 1, 5),
    'cache: expected a whole number from 1 to 5, found ""',
  ],
  ['the second of one', () => expectOnce([directive(), directive()]), 'cache: may stand once in a server block'],
  [
    'what objects inherit as an option',
    () => {
      readOptions({ ...directive(), body: [{ name: 'constructor', args: [], place }] }, { ttl: () => undefined });
    },
    'cache: unknown option "constructor", there are ttl',
  ],
] as const) {
  test(`refuses ${why}`, () => {
    assert.throws(read, { name: 'CorefileError', message: `Corefile:3: ${expected}` });
  });
}
