import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldErrorMessage } from '../field-error.ts';
import { compileRule } from './cel.ts';
import { patternProblem, regularExpression } from './patterns.ts';
import type { JsonSchema } from './schema.ts';
import { validateValue } from './validate-value.ts';

const LONG = `${'a'.repeat(40)}!`;

/** In CPU time, so that other work on the machine does not count; a time limit of the runner would not do: nothing interrupts a search. */
function isSoon(look: () => unknown): unknown {
  const began = process.cpuUsage();
  const result = look();
  const { user, system } = process.cpuUsage(began);
  assert.ok(user + system < 2_000_000, `it took ${String((user + system) / 1000)} ms`);
  return result;
}

/** Each takes from seconds to centuries with backtracking, and a few milliseconds without. */
const hostile: [pattern: string, text: string][] = [
  ['^(a+)+$', LONG],
  ['^(a{1,30}){1,30}$', LONG],
  ['^((a|a){1,40})$', LONG],
  ['^(\\p{L}+)+$', LONG],
  ['^(é|a+)+$', LONG],
  ['^(😀|a+)+$', LONG],
  ['^([[:alpha:]]+)+$', LONG],
  ['^(a?){100}a{100}$', LONG],
  ['(x+x+)+y', 'x'.repeat(50_000)],
];
for (const [pattern, text] of hostile) {
  test(`${pattern} takes time as the text is long, in a schema and in a rule`, () => {
    const compiled = compileRule(`self.matches(${JSON.stringify(pattern)})`);
    assert('rule' in compiled);
    const { rule } = compiled;
    assert.equal(
      isSoon(() => regularExpression(pattern)?.test(text)),
      false,
    );
    assert.equal(
      isSoon(() => rule.run(text, undefined)),
      false,
    );
  });
}

test('a pattern that would be too large when written out is refused before it is', () => {
  const letters = 'a'.repeat(500);
  for (const pattern of ['a{1000}'.repeat(1000), `(${letters}){1000}`, `((${letters}){10}){100}`, 'a'.repeat(20_000)]) {
    assert.equal(
      isSoon(() => patternProblem(pattern)),
      'error parsing regexp: expression too large',
    );
  }
  assert.equal(patternProblem(`(${letters}){10}[a-z]{1,253}`), undefined);
});

const dear = '(?i)(\\pL{1,1000})$';
const tooLong = (field: string) =>
  `${field}: Invalid value: "string": ${field} in body would take too long to be matched with '${dear}'`;
const dearSchemas: [name: string, schema: JsonSchema, value: unknown, expected: string[]][] = [
  ['a short text is matched', { pattern: dear }, 'a'.repeat(100), []],
  ['a long one is not', { pattern: dear }, 'a'.repeat(1_000_000), [tooLong('x')]],
  ['nor under not', { not: { pattern: dear } }, '!'.repeat(1_000_000), [tooLong('x')]],
  ['nor are many together', { items: { pattern: dear } }, Array(200).fill('!a'.repeat(1000)), [tooLong('x[24]')]],
  [
    'an invalid pattern fits nothing',
    { pattern: '(?=a)' },
    'a',
    [
      `x: Invalid value: "a": x in body should match '(?=a), but pattern is invalid: error parsing regexp: invalid or unsupported Perl syntax: \`(?=\`'`,
    ],
  ],
];
for (const [name, schema, value, expected] of dearSchemas) {
  test(`how long patterns take is bounded for an object: ${name}`, () => {
    const errors = isSoon(() => validateValue(value, schema, 'x').map(fieldErrorMessage)) as string[];
    assert.deepEqual(errors.slice(-1), expected);
  });
}

const rows: [pattern: string, isOfGo: boolean][] = [
  ['^(a+)+$(?!b)', false],
  ['(?=a)a', false],
  ['(?<!a)b', false],
  ['(a)\\1', false],
  ['(?P<x>a)\\k<x>', false],
  ['(?:a)', true],
  ['[(?=]', true],
  ['[\\]\\1]', false],
  ['[[:alpha:]_]+', true],
  ['\\Qa.b\\E', true],
  ['(?i:a)b', true],
  ['\\u0041', false],
  ['a{1001}', false],
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
