import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRule } from './cel.ts';
import { regularExpression } from './patterns.ts';

/** Takes ten seconds with backtracking, and twice as long for each further letter; a millisecond without. */
const LONG = `${'a'.repeat(28)}!`;

/** A time limit of the runner would not do: nothing interrupts a regular expression. */
function isSoon(look: () => unknown): unknown {
  const began = performance.now();
  const result = look();
  assert.ok(performance.now() - began < 3000, 'it backtracks');
  return result;
}

// First, before a pattern of a schema has turned the guard on.
test('an expression inside a rule does not backtrack without end', () => {
  const compiled = compileRule("self.matches('^(a+)+$')");
  assert.ok('rule' in compiled);
  const { rule } = compiled;
  assert.equal(
    isSoon(() => rule.run(LONG, undefined)),
    false,
  );
});

test('a pattern with letters beyond ASCII does not backtrack without end', () => {
  assert.equal(
    isSoon(() => regularExpression('^(é|a+)+$')?.test(LONG)),
    false,
  );
  assert.equal(regularExpression('^(é|a+)+$')?.test('aéa'), true);
});

const rows: [pattern: string, isOfGo: boolean][] = [
  ['^(a+)+$(?!b)', false],
  ['(?=a)a', false],
  ['(?<!a)b', false],
  ['(a)\\1', false],
  ['(?P<x>a)\\k<x>', false],
  ['(?:a)', true],
  ['[(?=]', true],
  ['[\\]\\1]', true],
  ['\\(\\?=', true],
  ['\\\\1', true],
  ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', true],
  ['(?P<x>a)', true],
  ['\\p{L}', true],
  ['😀', true],
];
for (const [pattern, isOfGo] of rows) {
  test(`${pattern} is ${isOfGo ? '' : 'not '}a regular expression of Go`, () => {
    assert.equal(regularExpression(pattern) !== undefined, isOfGo);
  });
}
