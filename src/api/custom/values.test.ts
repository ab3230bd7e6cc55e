import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldErrorMessage } from '../field-error.ts';
import { applyDefaults } from './defaults.ts';
import { hasFormat } from './formats.ts';
import { fieldsOf, findAll, parseJsonPath } from './json-path.ts';
import { prune } from './prune.ts';
import type { JsonSchema } from './schema.ts';
import { anyFitting, anySchema, anyValue } from './testing.ts';
import { validateValue } from './validate-value.ts';

const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});
const text: JsonSchema = { type: 'string' };
const open = { 'x-kubernetes-preserve-unknown-fields': true };

const pruned: [what: string, schema: JsonSchema, value: unknown, expected: unknown, dropped: string[]][] = [
  ['what is not specified', object({ a: text }), { a: '1', b: { c: 2 } }, { a: '1' }, ['b']],
  [
    'nothing of what every resource has',
    object({}),
    { kind: 'K', metadata: { x: 1 } },
    { kind: 'K', metadata: { x: 1 } },
    [],
  ],
  [
    'inside lists',
    object({ l: { type: 'array', items: object({ a: text }) } }),
    { l: [{ a: '', b: 1 }] },
    { l: [{ a: '' }] },
    ['l[0].b'],
  ],
  [
    'inside maps',
    object({ m: { type: 'object', additionalProperties: object({ a: text }) } }),
    { m: { k: { b: 1 } } },
    { m: { k: {} } },
    ['m.k.b'],
  ],
  [
    'nothing where unknown fields are kept',
    object({ a: object({}, open) }),
    { a: { b: { c: 1 } } },
    { a: { b: { c: 1 } } },
    [],
  ],
  [
    'known fields below kept ones',
    object({ a: object({ k: object({ x: text }) }, open) }),
    { a: { b: 1, k: { x: '', y: 1 } } },
    { a: { b: 1, k: { x: '' } } },
    ['a.k.y'],
  ],
  [
    'no type of an embedded resource',
    object({ e: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: text } } }),
    { e: { kind: 'P', apiVersion: 'v1', spec: '', other: 1 } },
    { e: { kind: 'P', apiVersion: 'v1', spec: '' } },
    ['e.other'],
  ],
  [
    'no key that objects inherit',
    object({}, { additionalProperties: text }),
    JSON.parse('{"__proto__":"x"}'),
    JSON.parse('{"__proto__":"x"}'),
    [],
  ],
];
for (const [what, schema, value, expected, dropped] of pruned) {
  test(`pruning drops ${what}`, () => {
    const found: string[] = [];
    assert.deepEqual(prune(value, schema, found), expected);
    assert.deepEqual(found, dropped);
  });
}

const one: JsonSchema = { type: 'integer', default: 1 };
const defaulted: [what: string, schema: JsonSchema, value: unknown, expected: unknown][] = [
  ['an absent field', object({ a: one }), {}, { a: 1 }],
  ['a field that is null and may not be', object({ a: one }), { a: null }, { a: 1 }],
  ['no field that may be null', object({ a: { ...one, nullable: true } }), { a: null }, { a: null }],
  ['no field whose parent is absent', object({ p: object({ a: one }) }), {}, {}],
  [
    'a field of a default',
    object({ p: object({ a: one, b: text }, { default: { b: 'x' } }) }),
    {},
    { p: { a: 1, b: 'x' } },
  ],
  [
    'items and map values',
    object({
      l: { type: 'array', items: object({ a: one }) },
      m: { type: 'object', additionalProperties: object({ a: one }) },
    }),
    { l: [{}], m: { k: {} } },
    { l: [{ a: 1 }], m: { k: { a: 1 } } },
  ],
  ['null away where nothing else is to be done', object({ a: text }), { a: null }, {}],
];
for (const [what, schema, value, expected] of defaulted) {
  test(`defaulting fills ${what}`, () => {
    const filled = structuredClone(value);
    applyDefaults(filled, schema);
    assert.deepEqual(filled, expected);
  });
}

const a = (schema: JsonSchema) => object({ a: schema });
const numbers: JsonSchema = { type: 'array', items: { type: 'integer' } };
const refused: [schema: JsonSchema, value: unknown, ...messages: string[]][] = [
  [a({ type: 'integer' }), { a: 'x' }, 'a: Invalid value: "string": a in body must be of type integer: "string"'],
  [a({ type: 'integer' }), { a: 1.5 }, 'a: Invalid value: "number": a in body must be of type integer: "number"'],
  [a({ type: 'number' }), { a: 1 }],
  [a({ type: 'string' }), { a: null }, 'a: Invalid value: "null": a in body must be of type string: "null"'],
  [a({ type: 'string', nullable: true }), { a: null }],
  [
    a({ 'x-kubernetes-int-or-string': true }),
    { a: true },
    'a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"',
  ],
  [a({ 'x-kubernetes-int-or-string': true }), { a: '80%' }],
  [a({ type: 'string', enum: ['x', 'y'] }), { a: 'z' }, 'a: Unsupported value: "z": supported values: "x", "y"'],
  [a({ type: 'string', maxLength: 2 }), { a: 'abc' }, 'a: Too long: may not be more than 2 bytes'],
  [a({ type: 'string', minLength: 2 }), { a: 'a' }, 'a: Invalid value: "a": a in body should be at least 2 chars long'],
  [a({ type: 'string', minLength: 2 }), { a: '😀😀' }],
  [a({ type: 'string', pattern: '^x$' }), { a: 'y' }, 'a: Invalid value: "y": a in body should match \'^x$\''],
  [a({ type: 'string', pattern: '(?i)^X$' }), { a: 'x' }],
  [
    a({ type: 'string', format: 'date-time' }),
    { a: 'now' },
    'a: Invalid value: "now": a in body must be of type date-time: "now"',
  ],
  [a({ type: 'integer', maximum: 3 }), { a: 4 }, 'a: Invalid value: 4: a in body should be less than or equal to 3'],
  [
    a({ type: 'integer', maximum: 3, exclusiveMaximum: true }),
    { a: 3 },
    'a: Invalid value: 3: a in body should be less than 3',
  ],
  [a({ type: 'integer', minimum: 3 }), { a: 2 }, 'a: Invalid value: 2: a in body should be greater than or equal to 3'],
  [
    a({ type: 'integer', minimum: 3, exclusiveMinimum: true }),
    { a: 3 },
    'a: Invalid value: 3: a in body should be greater than 3',
  ],
  [a({ type: 'number', multipleOf: 0.1 }), { a: 0.3 }],
  [a({ type: 'number', multipleOf: 2 }), { a: 3 }, 'a: Invalid value: 3: a in body should be a multiple of 2'],
  [a({ ...numbers, maxItems: 1 }), { a: [1, 2] }, 'a: Too many: 2: must have at most 1 item'],
  [a({ ...numbers, minItems: 1 }), { a: [] }, 'a: Invalid value: 0: a in body should have at least 1 items'],
  [a(numbers), { a: [1, 'x'] }, 'a[1]: Invalid value: "string": a[1] in body must be of type integer: "string"'],
  [a({ ...numbers, 'x-kubernetes-list-type': 'set' }), { a: [1, 2, 1] }, 'a[2]: Duplicate value: 1'],
  [
    a({
      type: 'array',
      items: object({ k: text, v: text }),
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    }),
    {
      a: [
        { k: 'x', v: '1' },
        { k: 'x', v: '2' },
      ],
    },
    'a[1]: Duplicate value: {"k":"x"}',
  ],
  [object({ a: text }, { required: ['a', 'b'] }), { a: '' }, 'b: Required value'],
  [a({ type: 'object', maxProperties: 1 }), { a: { x: 1, y: 2 } }, 'a: Too many: 2: must have at most 1 item'],
  [
    a({ type: 'object', minProperties: 1 }),
    { a: {} },
    'a: Invalid value: {}: a in body should have at least 1 properties',
  ],
  [
    a({ type: 'integer', oneOf: [{ minimum: 1 }, { minimum: 2 }] }),
    { a: 3 },
    '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives',
  ],
  [
    a({ type: 'object', properties: { x: text, y: text }, oneOf: [{ required: ['x'] }, { required: ['y'] }] }),
    { a: {} },
    '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid',
    'a.x: Required value',
  ],
  [
    a({ type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 1 }] }),
    { a: 3 },
    '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
    'a: Invalid value: 3: a in body should be greater than or equal to 5',
  ],
  [
    a({ type: 'integer', not: { minimum: 5 } }),
    { a: 7 },
    '<nil>: Invalid value: "": "a" must not validate the schema (not)',
  ],
];
for (const [schema, value, ...messages] of refused) {
  const what = `${JSON.stringify(value)} of ${JSON.stringify(schema.properties?.['a'] ?? schema)}`;
  test(`${what}: ${messages.length === 0 ? 'fits' : 'refused'}`, () => {
    assert.deepEqual(validateValue(value, schema).map(fieldErrorMessage), messages);
  });
}

test('a pattern that would backtrack without end answers all the same', { timeout: 5000 }, () => {
  const schema = a({ type: 'string', pattern: '^(a+)+$' });
  assert.equal(validateValue({ a: `${'a'.repeat(40)}!` }, schema).length, 1);
});

const formats: [format: string, good: string, bad: string][] = [
  ['date', '2026-02-28', '2026-02-30'],
  ['date-time', '2026-02-28T10:00:00Z', '2026-02-28T25:00:00Z'],
  ['duration', '1h30m', 'soon'],
  ['email', 'a@example.com', 'a.example.com'],
  ['hostname', 'a.example.com', '-a'],
  ['ipv4', '10.0.0.1', 'fd00::1'],
  ['ipv6', 'fd00::1', '10.0.0.1'],
  ['cidr', '10.0.0.0/8', '10.0.0.0'],
  ['mac', '00:11:22:33:44:55', '00:11'],
  ['uri', 'https://example.com/x', 'not a uri'],
  ['uuid', '2d3f1c6e-6f0a-4c1e-9a53-0d2b0a6f1f11', '2d3f'],
  ['isbn', '978-0321751041', '978-0321751042'],
  ['byte', 'YQ==', 'Y'],
];
for (const [format, good, bad] of formats) {
  test(`${good} is a ${format} and ${bad} is none`, () => {
    assert.deepEqual([hasFormat(format, good), hasFormat(format, bad)], [true, false]);
  });
}

const sample = {
  spec: {
    list: [
      { name: 'x', n: 1 },
      { name: 'y', n: 2 },
    ],
    'dotted.key': 'd',
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};
const paths: [path: string, expected: unknown[] | undefined][] = [
  ['.spec.list[0].name', ['x']],
  ['.spec.list[-1].name', ['y']],
  ['.spec.list[*].n', [1, 2]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type=='Other')].status", ['False']],
  ['.spec.list[?(@.n>1)].name', ['y']],
  ['.spec.dotted\\.key', ['d']],
  [".spec['dotted.key']", ['d']],
  ['.spec.nothing.here', []],
  ['spec', undefined],
  ['.spec[', undefined],
];
for (const [path, expected] of paths) {
  test(`the path ${path} leads to ${JSON.stringify(expected)}`, () => {
    const parsed = parseJsonPath(path);
    assert.deepEqual(parsed && findAll(sample, parsed), expected);
  });
}

test('only a path of fields alone is one of fields', () => {
  assert.deepEqual(fieldsOf('.spec.replicas'), ['spec', 'replicas']);
  for (const path of ['spec.replicas', '.', '.spec.list[0]', '']) assert.equal(fieldsOf(path), undefined, path);
});

test('pruning twice is pruning once, and what is pruned has nothing left to drop', () => {
  fc.assert(
    fc.property(anySchema, anyValue, (schema, value) => {
      const once = prune(value, schema);
      const dropped: string[] = [];
      assert.deepEqual(prune(once, schema, dropped), once);
      assert.deepEqual(dropped, []);
    }),
  );
});

test('defaulting twice is defaulting once, and goes with pruning', () => {
  fc.assert(
    fc.property(anySchema, anyValue, (schema, value) => {
      const filled = structuredClone(value);
      applyDefaults(filled, schema);
      const again = structuredClone(filled);
      applyDefaults(again, schema);
      assert.deepEqual(again, filled);
    }),
  );
});

test('what was made to fit a schema fits it, is not pruned, and still fits with its defaults', () => {
  fc.assert(
    fc.property(
      anySchema.chain((schema) => fc.tuple(fc.constant(schema), anyFitting(schema))),
      ([schema, value]) => {
        assert.deepEqual(validateValue(value, schema), []);
        assert.deepEqual(prune(value, schema), value);
        const filled = structuredClone(value);
        applyDefaults(filled, schema);
        assert.deepEqual(validateValue(filled, schema), []);
      },
    ),
  );
});
