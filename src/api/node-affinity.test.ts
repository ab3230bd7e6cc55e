import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesNodeAffinity } from './node-affinity.ts';
import type { Core, Node } from './types.ts';

const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a', labels: { size: '9007199254740993' } } };
const terms = (...nodeSelectorTerms: Core.NodeSelectorTerm[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const size = (operator: string, ...values: string[]) =>
  terms({ matchExpressions: [{ key: 'size', operator, values }] });

// What the scheduler's own tests leave out: `src/scheduler/decide.test.ts` has the everyday cases.
const table: [string, Parameters<typeof matchesNodeAffinity>[0], boolean][] = [
  ['no wish at all', {}, true],
  ['a term without expressions', terms({}), false],
  ['one of two terms', terms({}, { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }), true],
  ['more than a number no double can hold', size('Gt', '9007199254740992'), true],
  ['less than the same number', size('Lt', '9007199254740993'), false],
  ['more than what is no number', size('Gt', 'many'), false],
  ['more than nothing', size('Gt'), false],
  ['an operator nobody knows', size('Near', '1'), false],
];
for (const [name, spec, expected] of table) {
  test(`a Node ${expected ? 'meets' : 'does not meet'} ${name}`, () => {
    assert.equal(matchesNodeAffinity(spec, node), expected);
  });
}
