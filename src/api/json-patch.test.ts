import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyJsonPatch, JsonPatchError, type JsonPatchOperation } from './json-patch.ts';

/** Most are the examples of RFC 6902, appendix A. */
const applied: [before: unknown, operation: JsonPatchOperation, after: unknown][] = [
  [{ foo: 'bar' }, { op: 'add', path: '/baz', value: 'qux' }, { baz: 'qux', foo: 'bar' }],
  [{ foo: ['bar', 'baz'] }, { op: 'add', path: '/foo/1', value: 'qux' }, { foo: ['bar', 'qux', 'baz'] }],
  [{ foo: ['bar'] }, { op: 'add', path: '/foo/-', value: ['abc', 'def'] }, { foo: ['bar', ['abc', 'def']] }],
  [{ baz: 'qux', foo: 'bar' }, { op: 'remove', path: '/baz' }, { foo: 'bar' }],
  [{ foo: ['bar', 'qux', 'baz'] }, { op: 'remove', path: '/foo/1' }, { foo: ['bar', 'baz'] }],
  [{ baz: 'qux' }, { op: 'replace', path: '/baz', value: 'boo' }, { baz: 'boo' }],
  [{ foo: ['a', 'b'] }, { op: 'replace', path: '/foo/1', value: 'c' }, { foo: ['a', 'c'] }],
  [
    { a: { b: 1 }, c: {} },
    { op: 'move', from: '/a/b', path: '/c/d' },
    { a: {}, c: { d: 1 } },
  ],
  [{ foo: [1, 2, 3] }, { op: 'move', from: '/foo/0', path: '/foo/2' }, { foo: [2, 3, 1] }],
  [{ a: { b: [1] } }, { op: 'copy', from: '/a/b', path: '/c' }, { a: { b: [1] }, c: [1] }],
  [{ a: { b: [1] } }, { op: 'test', path: '/a', value: { b: [1] } }, { a: { b: [1] } }],
  [{ foo: 'bar' }, { op: 'add', path: '', value: { all: 'new' } }, { all: 'new' }],
  [{ '/': 9, '~1': 10 }, { op: 'remove', path: '/~01' }, { '/': 9 }],
  [{ '/': 9 }, { op: 'remove', path: '/~1' }, {}],
  [{ a: 1 }, { op: 'add', path: '/', value: 2 }, { a: 1, '': 2 }],
  [{}, { op: 'add', path: '/toString', value: 'own' }, { toString: 'own' }],
];
for (const [before, operation, after] of applied) {
  test(`${JSON.stringify(operation)} makes ${JSON.stringify(after)} of ${JSON.stringify(before)}`, () => {
    const kept = structuredClone(before);
    assert.deepEqual(applyJsonPatch(before, [operation]), after);
    assert.deepEqual(before, kept, 'the input stays as it is');
  });
}

const refused: [operation: JsonPatchOperation, message: string][] = [
  [{ op: 'add', path: '/b/c', value: 1 }, 'add operation does not apply: doc is missing path: /b/c'],
  [{ op: 'add', path: '/a/9', value: 1 }, 'add operation does not apply: Unable to access invalid index: /a/9'],
  [{ op: 'add', path: '/a/01', value: 1 }, 'add operation does not apply: Unable to access invalid index: /a/01'],
  [{ op: 'add', path: '/a/x', value: 1 }, 'add operation does not apply: Unable to access invalid index: /a/x'],
  [{ op: 'add', path: 'a', value: 1 }, 'add operation does not apply: doc is missing path: a'],
  [{ op: 'remove', path: '/b' }, 'remove operation does not apply: doc is missing key: /b'],
  [{ op: 'remove', path: '/a/-' }, 'remove operation does not apply: doc is missing key: /a/-'],
  [{ op: 'replace', path: '/b', value: 1 }, 'replace operation does not apply: doc is missing key: /b'],
  [{ op: 'test', path: '/a', value: [2] }, 'testing value /a failed: test failed'],
  [{ op: 'test', path: '/a/length', value: 1 }, 'testing value /a/length failed: test failed'],
  [{ op: 'move', from: '/a', path: '/a/0' }, 'move operation does not apply: /a is moved into itself'],
  [{ op: 'copy', from: '/b', path: '/c' }, 'copy operation does not apply: doc is missing key: /b'],
  // What every object has without owning it, and what a text is made of.
  [{ op: 'remove', path: '/toString' }, 'remove operation does not apply: doc is missing key: /toString'],
  [
    { op: 'add', path: '/constructor/prototype/x', value: 1 },
    'add operation does not apply: doc is missing path: /constructor/prototype/x',
  ],
  [{ op: 'add', path: '/text/0', value: 1 }, 'add operation does not apply: doc is missing path: /text/0'],
];
for (const [operation, message] of refused) {
  test(`${JSON.stringify(operation)} does not apply`, () => {
    assert.throws(
      () => applyJsonPatch({ a: [1], text: 'abc' }, [operation]),
      (error: Error) => error instanceof JsonPatchError && error.message === message,
    );
  });
}

test('a patch cannot reach a prototype', () => {
  const value = applyJsonPatch({}, [
    { op: 'add', path: '/__proto__', value: {} },
    { op: 'add', path: '/__proto__/polluted', value: true },
  ]);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.equal(JSON.stringify(value), '{"__proto__":{"polluted":true}}');
});

test('copies of copies end before they fill the memory', () => {
  const doubling = Array.from({ length: 100 }, (_, at) => ({
    op: 'copy' as const,
    from: '/a',
    path: `/a/${String(at)}`,
  }));
  assert.throws(() => applyJsonPatch({ a: { text: 'x' } }, doubling), /accumulated size increase of copy/);
});

test('a value of the patch is used again as it came, whatever was done to the first use of it', () => {
  const patch: JsonPatchOperation[] = [
    { op: 'add', path: '/list', value: [] },
    { op: 'add', path: '/list/-', value: 1 },
  ];
  assert.deepEqual(applyJsonPatch({}, patch), { list: [1] });
  assert.deepEqual(applyJsonPatch({}, patch), { list: [1] });
});
