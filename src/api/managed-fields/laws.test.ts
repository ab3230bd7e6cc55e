/** What holds for any objects: field sets against sets of texts, and what server-side apply promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, presentSet } from './compare.ts';
import { configSet } from './config-set.ts';
import { covers, difference, intersection, paths, sameSet, setOfPaths, union, type FieldSet } from './field-set.ts';
import { fromFieldsV1, toFieldsV1 } from './fields-v1.ts';
import { readManagers } from './managers.ts';
import type { Json } from './merge-schema.ts';
import { applied, EMPTY_WORLD, updated, WIDGET, type World } from './testing.ts';

const element = fc.constantFrom('f:a', 'f:b', 'f:', 'f:.', 'v:"x"', 'v:1', 'k:{"a":"f:b"}', 'k:{"a":1,"b":"x"}', 'i:0');
const set = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 12 }).map(setOfPaths);
const texts = (fields: FieldSet): string[] => [...paths(fields)].map((path) => path.join(' ')).sort();

test('union, difference and intersection are those of sets of paths', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      const [left, right] = [new Set(texts(a)), new Set(texts(b))];
      assert.deepEqual(texts(union(a, b)), [...left.union(right)].sort());
      assert.deepEqual(texts(difference(a, b)), [...left.difference(right)].sort());
      assert.deepEqual(texts(intersection(a, b)), [...left.intersection(right)].sort());
      assert.equal(covers(a, b), right.isSubsetOf(left));
    }),
  );
});

test('FieldsV1 says all of a set and nothing else, trusted or not', () => {
  fc.assert(
    fc.property(set, (fields) => {
      const text = JSON.stringify(toFieldsV1(fields));
      for (const trusted of [true, false]) {
        const read = fromFieldsV1(JSON.parse(text), trusted);
        assert.deepEqual(texts(read), texts(fields));
        assert.equal(JSON.stringify(toFieldsV1(read)), text);
      }
    }),
  );
});

const scalar = fc.constantFrom(1, 2, 'x');
const key = fc.constantFrom('a', 'b', 'constructor');
const optional = <T extends Json>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Json>;
const port = fc.record(
  {
    port: fc.constantFrom(1, 2, 3),
    protocol: fc.constantFrom('TCP', 'UDP'),
    name: scalar,
    labels: fc.dictionary(key, scalar, { minKeys: 1, noNullPrototype: true }),
  },
  { requiredKeys: ['port'], noNullPrototype: true },
);
const uniquePorts = fc.uniqueArray(port, {
  minLength: 1,
  maxLength: 3,
  selector: ({ port: number, protocol = 'TCP' }) => `${String(number)}/${protocol}`,
});
const some = <T>(value: fc.Arbitrary<T>) => fc.dictionary(key, value, { minKeys: 1, noNullPrototype: true });
/** Nothing empty in it: an empty value is a field of its own, which the tables look at. */
const config: fc.Arbitrary<Json> = optional({
  metadata: optional({ labels: some(scalar), finalizers: fc.uniqueArray(scalar, { minLength: 1, maxLength: 3 }) }),
  spec: optional({
    size: scalar,
    ports: uniquePorts,
    args: fc.array(scalar, { minLength: 1, maxLength: 2 }),
    selector: some(scalar),
    inner: optional({ a: scalar, b: scalar }),
    free: some(fc.oneof(scalar, some(scalar))),
  }),
}).map((object) => prune(object) as Json);

function prune(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value)
    .map(([name, each]) => [name, prune(each)] as const)
    .filter(([, each]) => typeof each !== 'object' || each === null || Object.keys(each).length > 0);
  return Object.fromEntries(kept);
}

const fieldsOf = ({ entries }: World, name: string): FieldSet =>
  readManagers(entries).find((manager) => manager.name === name)?.fields ?? setOfPaths([]);
const objectOf = ({ object }: World): Json => object ?? {};

test('to apply the same again changes nothing', () => {
  fc.assert(
    fc.property(config, config, (before, mine) => {
      const once = applied(updated(EMPTY_WORLD, 'other', before), 'me', mine, true);
      assert.deepEqual(applied(once, 'me', mine), once);
    }),
  );
});

test('what is applied is there, and owned', () => {
  fc.assert(
    fc.property(config, config, (before, mine) => {
      const world = applied(updated(EMPTY_WORLD, 'other', before), 'me', mine, true);
      const { modified, removed } = compare(WIDGET, mine, world.object);
      assert.deepEqual([modified, removed], [undefined, undefined]);
      assert.deepEqual(texts(fieldsOf(world, 'me')), texts(configSet(WIDGET, mine)));
    }),
  );
});

test('to apply less removes exactly what only the applier owned', () => {
  fc.assert(
    fc.property(config, config, config, (before, first, second) => {
      const theirs = updated(EMPTY_WORLD, 'other', before);
      const more = applied(theirs, 'me', first, true);
      const less = applied(more, 'me', second, true);
      const kept = union(fieldsOf(less, 'other'), fieldsOf(less, 'me'));
      const mineAlone = difference(fieldsOf(more, 'me'), kept);
      assert.deepEqual(
        texts(intersection(presentSet(WIDGET, less.object), leaves(mineAlone))),
        [],
        'all of it has gone',
      );
      assert.ok(covers(presentSet(WIDGET, less.object), fieldsOf(less, 'other')), 'nothing of the other has');
      const { modified } = compare(WIDGET, more.object, less.object);
      assert.ok(covers(configSet(WIDGET, second), modified ?? setOfPaths([])), 'and nothing else has changed');
    }),
  );
});

/** Structs stay for what others have in them. */
function leaves(fields: FieldSet): FieldSet {
  return setOfPaths(
    [...paths(fields)].filter(
      (path, _index, all) =>
        !all.some((other) => other.length > path.length && path.every((step, at) => step === other[at])),
    ),
  );
}

test('what two own survives when one lets go of it', () => {
  fc.assert(
    fc.property(config, config, (shared, extra) => {
      const both = applied(applied(EMPTY_WORLD, 'a', extra), 'a', shared, true);
      const together = applied(both, 'b', shared);
      const left = applied(together, 'a', {});
      const { modified, removed } = compare(WIDGET, shared, left.object);
      assert.deepEqual([modified, removed], [undefined, undefined]);
      assert.deepEqual(texts(fieldsOf(left, 'b')), texts(configSet(WIDGET, shared)));
      assert.deepEqual(prune(objectOf(applied(left, 'b', {}))), {}, 'and goes with the second');
    }),
  );
});

test('nobody owns what is not there, whoever wrote last', () => {
  const step = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('apply', 'update'), config);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      const world = steps.reduce<World>(
        (before, [name, how, object]) =>
          how === 'apply' ? applied(before, name, object, true) : updated(before, name, object),
        EMPTY_WORLD,
      );
      const present = presentSet(WIDGET, objectOf(world));
      for (const { name, fields } of readManagers(world.entries)) {
        assert.deepEqual(texts(difference(fields, present)), [], name);
      }
    }),
  );
});

test('two sets are the same when each covers the other', () => {
  fc.assert(fc.property(set, set, (a, b) => sameSet(a, b) === (JSON.stringify(texts(a)) === JSON.stringify(texts(b)))));
});
