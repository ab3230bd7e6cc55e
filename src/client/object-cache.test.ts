import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../api/types.ts';
import { ObjectCache } from './object-cache.ts';

interface Thing extends KubeObject {
  readonly values: readonly string[];
}

const thing = fc
  .record({
    name: fc.constantFrom('x', 'y', 'z'),
    namespace: fc.constantFrom('a', 'b'),
    version: fc.nat(3),
    uid: fc.constantFrom('1', '2'),
    values: fc.array(fc.constantFrom('p', 'q', 'r'), { maxLength: 3 }),
  })
  .map(({ name, namespace, uid, version, values }): Thing => {
    // one version of an object is one state of it
    const resourceVersion = `${String(version)} ${values.join('')}`;
    return { metadata: { name, namespace, uid, resourceVersion }, values };
  });

type Step = { readonly put: Thing } | { readonly remove: Thing } | { readonly replace: readonly Thing[] };
const step: fc.Arbitrary<Step> = fc.oneof(
  thing.map((put) => ({ put })),
  thing.map((remove) => ({ remove })),
  fc
    .uniqueArray(thing, { selector: ({ metadata: { name, namespace } }) => `${namespace ?? ''}/${name}`, maxLength: 5 })
    .map((replace) => ({ replace })),
);

const sorted = (things: readonly Thing[]) => things.map((one) => JSON.stringify(one)).sort();

test('indexes and namespaces find what is there, however it came and went', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cache = new ObjectCache<Thing>(true, { value: ({ values }) => [...values] });
      const model = new Map<string, Thing>();
      const keyOf = ({ metadata: { name, namespace } }: Thing) => `${namespace ?? ''}/${name}`;
      for (const one of steps) {
        if ('put' in one) {
          cache.put(one.put);
          model.set(keyOf(one.put), one.put);
        } else if ('remove' in one) {
          cache.remove(one.remove);
          model.delete(keyOf(one.remove));
        } else {
          assert.ok([...cache.replace(one.replace)].length <= 12);
          model.clear();
          for (const each of one.replace) model.set(keyOf(each), each);
        }
        const all = [...model.values()];
        assert.deepEqual(sorted(cache.list()), sorted(all));
        for (const namespace of ['a', 'b', 'c']) {
          assert.deepEqual(
            sorted(cache.list(namespace)),
            sorted(all.filter(({ metadata }) => metadata.namespace === namespace)),
          );
        }
        for (const value of ['p', 'q', 'r', 's']) {
          assert.deepEqual(
            sorted(cache.byIndex('value', value)),
            sorted(all.filter(({ values }) => values.includes(value))),
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});
