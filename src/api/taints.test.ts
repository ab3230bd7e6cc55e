import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tolerates } from './taints.ts';

const taint = { key: 'gpu', value: 'a', effect: 'NoSchedule' };
const table: [string, Parameters<typeof tolerates>[0], boolean][] = [
  ['equal key and value', { key: 'gpu', value: 'a' }, true],
  ['another value', { key: 'gpu', value: 'b' }, false],
  ['existence of the key', { key: 'gpu', operator: 'Exists' }, true],
  ['another key', { key: 'cpu', operator: 'Exists' }, false],
  ['everything', { operator: 'Exists' }, true],
  ['nothing: no key and no operator', {}, false],
  ['the same effect', { key: 'gpu', value: 'a', effect: 'NoSchedule' }, true],
  ['another effect', { key: 'gpu', value: 'a', effect: 'NoExecute' }, false],
];
for (const [name, toleration, expected] of table) {
  test(`a toleration of ${name} ${expected ? 'covers' : 'does not cover'} the taint`, () => {
    assert.equal(tolerates(toleration, taint), expected);
  });
}
