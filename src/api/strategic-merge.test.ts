import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, type Kind } from './kinds.ts';
import { strategicMergePatch } from './strategic-merge.ts';

interface Case {
  name: string;
  kind?: Kind;
  object: unknown;
  patch: unknown;
  result: unknown;
}

const ports = (...numbers: number[]) => numbers.map((port) => ({ port, name: `p${port}` }));

const cases: Case[] = [
  {
    name: 'null deletes, maps merge, values replace',
    object: { metadata: { labels: { a: '1', b: '2' } }, spec: { type: 'ClusterIP' } },
    patch: { metadata: { labels: { a: null, c: '3' } }, spec: { type: 'NodePort' } },
    result: { metadata: { labels: { b: '2', c: '3' } }, spec: { type: 'NodePort' } },
  },
  {
    name: 'ports of a Service merge by port',
    object: { spec: { ports: ports(80, 443) } },
    patch: { spec: { ports: [{ port: 80, nodePort: 30080 }, { port: 8080 }] } },
    result: {
      spec: { ports: [{ port: 80, name: 'p80', nodePort: 30080 }, { port: 8080 }, { port: 443, name: 'p443' }] },
    },
  },
  {
    name: '$patch: delete removes one item',
    object: { spec: { ports: ports(80, 443) } },
    patch: { spec: { ports: [{ $patch: 'delete', port: 80 }] } },
    result: { spec: { ports: ports(443) } },
  },
  {
    name: '$patch: replace in a list replaces the whole list',
    object: { spec: { ports: ports(80, 443) } },
    patch: { spec: { ports: [{ port: 1 }, { $patch: 'replace' }] } },
    result: { spec: { ports: [{ port: 1 }] } },
  },
  {
    name: '$patch: replace in a map replaces the map',
    object: { spec: { selector: { a: '1', b: '2' } } },
    patch: { spec: { selector: { $patch: 'replace', c: '3' } } },
    result: { spec: { selector: { c: '3' } } },
  },
  {
    name: '$patch: delete empties a map',
    object: { spec: { selector: { a: '1' } } },
    patch: { spec: { selector: { $patch: 'delete' } } },
    result: { spec: { selector: {} } },
  },
  {
    name: '$setElementOrder puts listed items in order',
    object: { spec: { ports: ports(80, 443) } },
    patch: {
      spec: { '$setElementOrder/ports': [{ port: 8080 }, { port: 443 }, { port: 80 }], ports: [{ port: 8080 }] },
    },
    result: { spec: { ports: [{ port: 8080 }, { port: 443, name: 'p443' }, { port: 80, name: 'p80' }] } },
  },
  {
    name: '$setElementOrder keeps items only the server has near their place',
    object: { spec: { ports: ports(1, 2, 3) } },
    patch: { spec: { '$setElementOrder/ports': [{ port: 1 }, { port: 3 }] } },
    result: { spec: { ports: ports(1, 2, 3) } },
  },
  {
    name: 'what a patch adds stands before what it does not mention',
    object: { spec: { ports: ports(80, 443) } },
    patch: { spec: { ports: [{ port: 8080 }] } },
    result: { spec: { ports: [{ port: 8080 }, { port: 80, name: 'p80' }, { port: 443, name: 'p443' }] } },
  },
  {
    name: 'what a patch changes keeps its place, and names an order for what comes after',
    object: { spec: { ports: ports(80, 443, 444) } },
    patch: { spec: { ports: [{ port: 443, name: 'x' }, { port: 8080 }] } },
    result: {
      spec: {
        ports: [{ port: 80, name: 'p80' }, { port: 443, name: 'x' }, { port: 8080 }, { port: 444, name: 'p444' }],
      },
    },
  },
  {
    name: '$setElementOrder puts a new item before one only the server has',
    object: { spec: { ports: ports(1) } },
    patch: { spec: { '$setElementOrder/ports': [{ port: 2 }], ports: [{ port: 2 }] } },
    result: { spec: { ports: [{ port: 2 }, { port: 1, name: 'p1' }] } },
  },
  {
    name: 'finalizers are a set that merges',
    object: { metadata: { finalizers: ['a/x'] } },
    patch: { metadata: { finalizers: ['a/x', 'b/y', 'b/y'] } },
    result: { metadata: { finalizers: ['a/x', 'b/y'] } },
  },
  {
    name: '$deleteFromPrimitiveList takes values out',
    object: { metadata: { finalizers: ['a/x', 'b/y'] } },
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/x'] } },
    result: { metadata: { finalizers: ['b/y'] } },
  },
  {
    name: '$retainKeys clears what is not listed',
    kind: DEPLOYMENTS,
    object: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
    patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    result: { spec: { strategy: { type: 'Recreate' } } },
  },
  {
    name: 'containers and their environment merge by name, arguments are replaced',
    kind: PODS,
    object: {
      spec: {
        containers: [
          {
            name: 'a',
            image: 'x',
            args: ['1', '2'],
            env: [
              { name: 'E', value: '1' },
              { name: 'F', value: '2' },
            ],
          },
        ],
      },
    },
    patch: { spec: { containers: [{ name: 'a', args: ['3'], env: [{ name: 'E', value: '9' }] }] } },
    result: {
      spec: {
        containers: [
          {
            name: 'a',
            image: 'x',
            args: ['3'],
            env: [
              { name: 'E', value: '9' },
              { name: 'F', value: '2' },
            ],
          },
        ],
      },
    },
  },
  {
    name: 'free-form maps merge by key and their text is left alone',
    kind: CONFIG_MAPS,
    object: { data: { a: '1', b: '2' } },
    patch: { data: { a: null, c: '3' } },
    result: { data: { b: '2', c: '3' } },
  },
  {
    name: 'a new map carries no nulls and no directives',
    object: {},
    patch: { metadata: { labels: { a: null, b: '1' }, $patch: 'merge' } },
    result: { metadata: { labels: { b: '1' } } },
  },
];
for (const { name, kind = SERVICES, object, patch, result } of cases) {
  test(name, () => {
    const before = JSON.stringify([object, patch]);
    assert.deepEqual(strategicMergePatch(kind, object, patch), result);
    assert.equal(JSON.stringify([object, patch]), before, 'the inputs stay as they were');
  });
}

const refused: [name: string, patch: unknown, code: number][] = [
  ['an unknown directive', { spec: { $patch: 'explode' } }, 400],
  ['an item without its merge key', { spec: { ports: [{ name: 'x' }] } }, 422],
  ['plain values in a list of objects', { spec: { ports: [80] } }, 422],
  ['$retainKeys that leaves out what the patch sets', { spec: { $retainKeys: ['type'], selector: {} } }, 400],
  ['a delete list that is no list', { metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } }, 400],
  ['a patch that is no object', [], 400],
];
for (const [name, patch, code] of refused) {
  test(`${name} is refused with ${code}`, () => {
    assert.throws(
      () => strategicMergePatch(SERVICES, { spec: {}, metadata: {} }, patch),
      (error: unknown) => error instanceof ApiError && error.code === code,
    );
  });
}
