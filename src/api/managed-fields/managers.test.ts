import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEAF } from './field-set.ts';
import { capManagers, readManagers, writeManagers, type ManagedFieldsEntry, type Manager } from './managers.ts';
import { managersFor, sameManagers } from './update.ts';

const manager = (name: string, field: string, more: Partial<Manager> = {}): Manager => ({
  name,
  operation: 'Update',
  apiVersion: 'v1',
  subresource: '',
  time: `2026-01-01T00:00:${field.padStart(2, '0')}Z`,
  fields: { self: false, children: new Map([[`f:${field}`, LEAF]]) },
  ...more,
});

test('appliers are written first, then the oldest', () => {
  const entries = writeManagers([
    manager('b', '2'),
    manager('c', '1'),
    manager('a', '1'),
    manager('z', '9', { operation: 'Apply' }),
    manager('a', '1', { subresource: 'status' }),
  ]);
  const names = entries?.map(({ manager: name = '', subresource = '' }) => name + subresource);
  assert.deepEqual(names, ['z', 'a', 'astatus', 'c', 'b']);
  assert.equal(writeManagers([]), undefined);
});

test('of more than ten updaters the oldest are written together, appliers are not counted', () => {
  const many = Array.from({ length: 13 }, (_, index) => manager(`m${String(index)}`, String(index + 10)));
  const capped = capManagers([manager('z', '1', { operation: 'Apply' }), ...many], 10);
  const entries = writeManagers(capped) ?? [];
  assert.deepEqual(
    entries.map(({ manager: name }) => name),
    ['z', 'ancient-changes', ...Array.from({ length: 9 }, (_, index) => `m${String(index + 4)}`)],
  );
  assert.deepEqual(entries[1], {
    manager: 'ancient-changes',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-01T00:00:13Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:10': {}, 'f:11': {}, 'f:12': {}, 'f:13': {} },
  });
  assert.equal(capManagers(many.slice(0, 10), 10).length, 10);
});

const entry = (manager: string, fieldsV1: object): ManagedFieldsEntry => ({
  manager,
  operation: 'Apply',
  apiVersion: 'v1',
  fieldsType: 'FieldsV1',
  fieldsV1,
});

const given: [what: string, given: ManagedFieldsEntry[] | undefined, names: string[]][] = [
  ['left out are kept', undefined, ['present']],
  ['as an empty list are kept', [], ['present']],
  ['as [{}] are forgotten', [{}], []],
  ['of another are taken', [entry('other', { 'f:a': {} })], ['other']],
  ['that own nothing are passed over', [entry('other', {})], ['present']],
  ['of an unknown operation are passed over', [{ ...entry('other', { 'f:a': {} }), operation: 'Guess' }], ['present']],
  ['of another format are passed over', [{ ...entry('other', { 'f:a': {} }), fieldsType: 'FieldsV2' }], ['present']],
  ['with a path that is none are passed over', [entry('other', { 'x:a': {} })], ['present']],
  ['with a key that is none are passed over', [entry('other', { 'k:[1]': {} })], ['present']],
  ['with broken JSON are passed over', [entry('other', { 'v:{': {} })], ['present']],
  ['nested beyond measure are passed over', [entry('other', nested(300))], ['present']],
];
function nested(depth: number): object {
  return depth === 0 ? {} : { 'f:a': nested(depth - 1) };
}
for (const [what, list, names] of given) {
  test(`managedFields ${what}`, () => {
    const managers = managersFor(list, [entry('present', { 'f:b': {} })], 'all');
    assert.deepEqual(
      managers.map(({ name }) => name),
      names,
    );
  });
}

test('keys are spelled one way, however a client wrote them', () => {
  const written = readManagers([entry('a', { 'k:{ "b": 1,  "a": "x" }': { 'v:  "y"': {} } })]);
  const trusted = readManagers([entry('a', { 'k:{"a":"x","b":1}': { 'v:"y"': {} } })], true);
  assert.ok(sameManagers(written, trusted));
});
