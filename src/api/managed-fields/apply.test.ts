import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../api-error.ts';
import { ConfigProblem } from './config-set.ts';
import type { Json } from './merge-schema.ts';
import { applied, EMPTY_WORLD, ownersOf, updated, type World } from './testing.ts';

type Step = { apply: string; config: Json; force?: boolean } | { update: string; object: Json };

const run = (steps: readonly Step[]): World =>
  steps.reduce<World>(
    (world, step) =>
      'apply' in step ? applied(world, step.apply, step.config, step.force) : updated(world, step.update, step.object),
    EMPTY_WORLD,
  );

const spec = (fields: Json): Json => ({ spec: fields });
const ports = (...list: Json[]): Json => spec({ ports: list });

const scenarios: [what: string, steps: Step[], object: Json, owners: string[]][] = [
  [
    'structs on the way are not owned, items of maps and lists are',
    [
      {
        apply: 'a',
        config: {
          metadata: { name: 'w', labels: { x: 'y' }, finalizers: ['f'] },
          spec: { ports: [{ port: 1 }], inner: { a: 1 } },
        },
      },
    ],
    { metadata: { name: 'w', labels: { x: 'y' }, finalizers: ['f'] }, spec: { ports: [{ port: 1 }], inner: { a: 1 } } },
    [
      'a Apply {"f:metadata":{"f:finalizers":{"v:\\"f\\"":{}},"f:labels":{"f:x":{}}},"f:spec":{"f:inner":{"f:a":{}},"f:ports":{"k:{\\"port\\":1,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{}}}}}',
    ],
  ],
  [
    'an update owns the structs it adds, but not those that are always there',
    [{ update: 'a', object: spec({ inner: { a: 1 }, ports: [{ port: 1 }] }) }],
    spec({ inner: { a: 1 }, ports: [{ port: 1 }] }),
    [
      'a Update {"f:spec":{".":{},"f:inner":{".":{},"f:a":{}},"f:ports":{".":{},"k:{\\"port\\":1,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{}}}}}',
    ].map((text) => text.replace('{"f:spec":{".":{},', '{"f:spec":{')),
  ],
  [
    'a struct goes when nothing in it is applied any more',
    [
      { apply: 'a', config: spec({ size: 1, inner: { a: 1, b: 2 } }) },
      { apply: 'a', config: spec({ size: 1 }) },
    ],
    spec({ size: 1 }),
    ['a Apply {"f:spec":{"f:size":{}}}'],
  ],
  [
    'a struct stays for what another owns in it',
    [
      { apply: 'a', config: spec({ inner: { a: 1 } }) },
      { apply: 'b', config: spec({ inner: { b: 2 } }) },
      { apply: 'a', config: {} },
    ],
    spec({ inner: { b: 2 } }),
    ['b Apply {"f:spec":{"f:inner":{"f:b":{}}}}'],
  ],
  [
    'an item goes with what nobody owns in it',
    [
      { apply: 'a', config: ports({ port: 1 }, { port: 2 }) },
      { update: 'defaults', object: ports({ port: 1 }, { port: 2 }) },
      { apply: 'a', config: ports({ port: 2 }) },
    ],
    ports({ port: 2 }),
    ['a Apply {"f:spec":{"f:ports":{"k:{\\"port\\":2,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{}}}}}'],
  ],
  [
    'an absent key counts as its default',
    [
      { apply: 'a', config: ports({ port: 1, protocol: 'TCP', name: 'x' }) },
      { apply: 'a', config: ports({ port: 1, name: 'y' }) },
    ],
    ports({ port: 1, name: 'y' }),
    ['a Apply {"f:spec":{"f:ports":{"k:{\\"port\\":1,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{},"f:port":{}}}}}'],
  ],
  [
    'items of a set are added to those of others and taken out alone',
    [
      { apply: 'a', config: { metadata: { finalizers: ['one', 'two'] } } },
      { apply: 'b', config: { metadata: { finalizers: ['two', 'three'] } } },
      { apply: 'a', config: {} },
    ],
    { metadata: { finalizers: ['two', 'three'] } },
    ['b Apply {"f:metadata":{"f:finalizers":{"v:\\"three\\"":{},"v:\\"two\\"":{}}}}'],
  ],
  [
    'atomic lists and maps are taken whole',
    [
      { apply: 'a', config: spec({ args: ['1', '2'], selector: { x: 'y', z: 'z' } }) },
      { apply: 'a', config: spec({ args: ['3'], selector: { x: 'y' } }) },
    ],
    spec({ args: ['3'], selector: { x: 'y' } }),
    ['a Apply {"f:spec":{"f:args":{},"f:selector":{}}}'],
  ],
  [
    'what is free-form is owned by its fields, its lists as a whole',
    [
      { apply: 'a', config: spec({ free: { x: { y: 1 }, list: [{ a: 1 }] } }) },
      { apply: 'b', config: spec({ free: { x: { z: 2 } } }) },
      { apply: 'a', config: spec({ free: {} }) },
    ],
    spec({ free: { x: { z: 2 } } }),
    ['a Apply {"f:spec":{"f:free":{}}}', 'b Apply {"f:spec":{"f:free":{"f:x":{".":{},"f:z":{}}}}}'],
  ],
  [
    'null takes a field out and keeps owning it',
    [
      { apply: 'a', config: spec({ size: 1, inner: { a: 1 } }) },
      { apply: 'a', config: spec({ size: null, inner: { a: 1 } }) },
    ],
    spec({ inner: { a: 1 } }),
    ['a Apply {"f:spec":{"f:inner":{"f:a":{}},"f:size":{}}}'],
  ],
  [
    'an update takes over what it changes and frees what it removes',
    [
      { apply: 'a', config: spec({ size: 1, inner: { a: 1, b: 2 } }) },
      { update: 'b', object: spec({ size: 2, inner: { a: 1 } }) },
    ],
    spec({ size: 2, inner: { a: 1 } }),
    ['a Apply {"f:spec":{"f:inner":{"f:a":{}}}}', 'b Update {"f:spec":{"f:size":{}}}'],
  ],
  [
    'what was never applied is not pruned',
    [
      { update: 'b', object: spec({ size: 1, inner: { a: 1 } }) },
      { apply: 'a', config: spec({ inner: { b: 2 } }) },
      { apply: 'a', config: {} },
    ],
    spec({ size: 1, inner: { a: 1 } }),
    ['b Update {"f:spec":{"f:inner":{".":{},"f:a":{}},"f:size":{}}}'],
  ],
  [
    'a field named like what every object inherits is a field like any other',
    [
      { apply: 'a', config: { metadata: { labels: { constructor: 'x', toString: 'y' } } } },
      { apply: 'a', config: { metadata: { labels: { constructor: 'x' } } } },
    ],
    { metadata: { labels: { constructor: 'x' } } },
    ['a Apply {"f:metadata":{"f:labels":{"f:constructor":{}}}}'],
  ],
  [
    'force takes a field and leaves the rest',
    [
      { apply: 'a', config: spec({ size: 1, args: ['x'] }) },
      { apply: 'b', config: spec({ size: 2 }), force: true },
    ],
    spec({ size: 2, args: ['x'] }),
    ['a Apply {"f:spec":{"f:args":{}}}', 'b Apply {"f:spec":{"f:size":{}}}'],
  ],
];

for (const [what, steps, object, owners] of scenarios) {
  test(what, () => {
    const world = run(steps);
    assert.deepEqual(world.object, object);
    assert.deepEqual(ownersOf(world), owners);
  });
}

test('a conflict names the fields of each manager, the direct ones first', () => {
  const world = run([
    { apply: 'a', config: spec({ size: 1, inner: { a: 1 }, ports: [{ port: 1, name: 'x' }] }) },
    { update: 'b', object: spec({ size: 1, inner: { a: 1, b: 1 }, ports: [{ port: 1, name: 'x' }] }) },
  ]);
  assert.throws(
    () => applied(world, 'c', spec({ size: 2, inner: { a: 2, b: 2 }, ports: [{ port: 1, name: 'y' }] })),
    (error: unknown) =>
      error instanceof ApiError &&
      error.message ===
        'Apply failed with 4 conflicts: conflicts with "a":\n- .spec.size\n- .spec.inner.a\n- .spec.ports[port=1,protocol="TCP"].name\nconflicts with "b" using v1:\n- .spec.inner.b',
  );
});

const problems: [what: string, config: Json, message: string][] = [
  ['a field that is not declared', spec({ colour: 1 }), '.spec.colour: field not declared in schema'],
  [
    'an item with a field that is not declared',
    ports({ port: 1, x: 1 }),
    '.spec.ports[port=1,protocol="TCP"].x: field not declared in schema',
  ],
  ['a list where a map should be', spec({ inner: [] }), '.spec.inner: expected map, got list'],
  ['a text where a list should be', spec({ args: 'x' }), '.spec.args: expected list, got string'],
  ['a map where a number should be', spec({ size: {} }), '.spec.size: expected scalar, got map'],
  [
    'an item twice',
    ports({ port: 1 }, { port: 1, protocol: 'TCP' }),
    '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]',
  ],
  [
    'a value twice in a set',
    { metadata: { finalizers: ['a', 'a'] } },
    '.metadata.finalizers: duplicate entries for key [="a"]',
  ],
  [
    'a list in a set',
    { metadata: { finalizers: [[]] } },
    '.metadata.finalizers: element 0: sets can only contain scalars',
  ],
  [
    'a text among items with keys',
    ports('x' as unknown as Json),
    '.spec.ports: element 0: associative list with keys may not have non-map elements',
  ],
];
for (const [what, config, message] of problems) {
  test(`${what} keeps a configuration from being applied`, () => {
    assert.throws(
      () => applied(EMPTY_WORLD, 'a', config),
      (error) => error instanceof ConfigProblem && error.message === message,
    );
  });
}
