import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiError } from './api-error.ts';
import { jsonPatch, mergePatch } from './patch.ts';

// The table of RFC 7386, appendix A.
const merges: [unknown, unknown, unknown][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];
for (const [target, patch, expected] of merges) {
  test(`${JSON.stringify(target)} patched with ${JSON.stringify(patch)} is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(mergePatch(target, patch), expected);
  });
}

test('a patch cannot reach a prototype', () => {
  const result = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}'));
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.deepEqual(Object.keys(result as object), ['__proto__']);
});

test('a JSON patch leaves its input alone and fails whole', () => {
  const target = { a: [1] };
  assert.deepEqual(jsonPatch(target, [{ op: 'add', path: '/a/-', value: 2 }]), { a: [1, 2] });
  const bad = [
    { op: 'add', path: '/a/-', value: 2 },
    { op: 'test', path: '/a/0', value: 9 },
  ];
  assert.throws(() => jsonPatch(target, bad), { name: 'ApiError' });
  assert.deepEqual(target, { a: [1] });
  assert.throws(() => jsonPatch(target, {}), /list of operations/);
});

test('a refused JSON patch has no details, which kubectl would print in place of the reason', () => {
  assert.throws(
    () => jsonPatch({ a: [1] }, [{ op: 'remove', path: '/b' }]),
    (error: ApiError) => error.status.details === undefined && error.message.endsWith('key: /b'),
  );
});

const refusals: [string, unknown, number][] = [
  ['what is no operation', [{ op: 'turn', path: '/a' }], 400],
  ['a move from nowhere', [{ op: 'move', path: '/a' }], 400],
  ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: [1] })), 413],
  ['a path that is not there', [{ op: 'remove', path: '/b' }], 422],
];
for (const [name, operations, code] of refusals) {
  test(`a JSON patch with ${name} is refused with ${String(code)}`, () => {
    assert.throws(() => jsonPatch({ a: [1] }, operations), { name: 'ApiError', code });
  });
}
