import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronTabDefinition, cronTabVersion } from '../../../test/support/custom-resources.ts';
import { fieldErrorMessage } from '../field-error.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../kinds.ts';
import { strategyFor } from '../strategies.ts';
import type { KubeObject } from '../types.ts';
import { kindsOf } from './kinds.ts';
import { validateRules } from './rules.ts';
import type { JsonSchema, ValidationRule } from './schema.ts';

const int: JsonSchema = { type: 'integer' };
const text: JsonSchema = { type: 'string' };

function ruled(rule: string, properties: Record<string, JsonSchema>, more: Partial<ValidationRule> = {}): JsonSchema {
  return { type: 'object', properties, 'x-kubernetes-validations': [{ rule, ...more }] };
}

const list = (item: JsonSchema): JsonSchema => ({ type: 'array', items: item });
const map = (item: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: item });

/** Each holds for the first value and not for the second. */
const rules: [rule: string, properties: Record<string, JsonSchema>, good: object, bad: object][] = [
  ['self.min <= self.max', { min: int, max: int }, { min: 1, max: 2 }, { min: 3, max: 2 }],
  ['self.ratio > 0.5', { ratio: { type: 'number' } }, { ratio: 1 }, { ratio: 0.25 }],
  ['has(self.a) != has(self.b)', { a: int, b: int }, { a: 1 }, { a: 1, b: 2 }],
  ['self.names.all(n, n.startsWith("x-"))', { names: list(text) }, { names: ['x-1'] }, { names: ['y'] }],
  ["self.labels.exists(k, self.labels[k] == 'on')", { labels: map(text) }, { labels: { a: 'on' } }, { labels: {} }],
  ["self.host.matches('^[a-z]+$')", { host: text }, { host: 'abc' }, { host: 'ABC' }],
  ['self.a__dash__b == 1', { 'a-b': int }, { 'a-b': 1 }, { 'a-b': 2 }],
  ["self.__namespace__ == 'x'", { namespace: text }, { namespace: 'x' }, { namespace: 'y' }],
  [
    'self.from < self.to',
    { from: { ...text, format: 'date-time' }, to: { ...text, format: 'date-time' } },
    { from: '2026-01-01T00:00:00Z', to: '2026-01-01T02:00:00+01:00' },
    { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:30:00+01:00' },
  ],
  ['duration(self.every) >= duration("1m")', { every: text }, { every: '90s' }, { every: '5s' }],
  [
    'type(self.port) == int ? self.port < 100 : size(self.port) > 0',
    { port: { 'x-kubernetes-int-or-string': true } },
    { port: 80 },
    { port: '' },
  ],
  ['self.l.isSorted() && self.l.sum() == 6 && self.l.max() == 3', { l: list(int) }, { l: [1, 2, 3] }, { l: [3, 2, 1] }],
  [
    'isIP(self.ip) && isCIDR(self.net) && isURL(self.url) && isQuantity(self.size)',
    { ip: text, net: text, url: text, size: text },
    { ip: 'fd00::1', net: '10.0.0.0/8', url: 'https://x/y', size: '10Mi' },
    { ip: 'x', net: '10.0.0.0/8', url: 'https://x/y', size: '10Mi' },
  ],
  [
    'sets.contains(self.l, [1]) && math.greatest(1, self.n) == 3',
    { l: list(int), n: int },
    { l: [1, 2], n: 3 },
    { l: [2], n: 3 },
  ],
  [
    "quantity(self.q).isGreaterThan(quantity('1Gi')) && quantity('500m').add(1).compareTo(quantity('1.5')) == 0",
    { q: text },
    { q: '2Gi' },
    { q: '1M' },
  ],
  [
    "url(self.u).getScheme() == 'https' && url(self.u).getHost() == 'x:443'",
    { u: text },
    { u: 'https://x:443/y' },
    { u: 'http://x/' },
  ],
  [
    "cidr('10.0.0.0/8').containsIP(self.ip) && ip(self.ip).family() == 4",
    { ip: text },
    { ip: '10.1.2.3' },
    { ip: '11.0.0.1' },
  ],
  ['self.?n.orValue(5) == 5', { n: int }, {}, { n: 4 }],
  [
    "self.s.findAll('a*') == ['', 'aa', '', ''] && self.s.findAll('é.')[0] == 'éc'",
    { s: text },
    { s: 'baaéc' },
    { s: 'é' },
  ],
  ["self.s.replace('a', 'b') == 'bb' && self.s.find('a+') == 'aa'", { s: text }, { s: 'aa' }, { s: 'cc' }],
];
for (const [rule, properties, good, bad] of rules) {
  test(`the rule ${rule} takes ${JSON.stringify(good)} and refuses ${JSON.stringify(bad)}`, () => {
    const schema = ruled(rule, properties);
    assert.deepEqual(validateRules(good, schema, undefined), []);
    assert.deepEqual(validateRules(bad, schema, undefined, 'spec').map(fieldErrorMessage), [
      `spec: Invalid value: "object": failed rule: ${rule}`,
    ]);
  });
}

test('a refusal has the words, the place and the reason of its rule', () => {
  const schema = (more: Partial<ValidationRule>) => ruled('self.n < 3', { n: int }, more);
  const said = (more: Partial<ValidationRule>) =>
    validateRules({ n: 5 }, schema(more), undefined, 'spec').map(fieldErrorMessage);
  assert.deepEqual(said({ message: 'too big' }), ['spec: Invalid value: "object": too big']);
  assert.deepEqual(said({ messageExpression: '"n is " + string(self.n)' }), ['spec: Invalid value: "object": n is 5']);
  assert.deepEqual(said({ messageExpression: 'self.nothing', message: 'm' }), ['spec: Invalid value: "object": m']);
  assert.deepEqual(said({ reason: 'FieldValueForbidden', fieldPath: '.n', message: 'no' }), ['spec.n: Forbidden: no']);
  const missing = ruled('self.x > 1', { x: int });
  assert.deepEqual(validateRules({}, missing, undefined, 'spec').map(fieldErrorMessage), [
    'spec: Invalid value: "object": No such key: x evaluating rule: self.x > 1',
  ]);
});

test('a rule over oldSelf is asked only where there is something to compare with', () => {
  const immutable: JsonSchema = {
    ...text,
    'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'immutable' }],
  };
  const item: JsonSchema = { type: 'object', properties: { k: text, v: immutable } };
  const keyed: JsonSchema = { ...list(item), 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] };
  const schema: JsonSchema = { type: 'object', properties: { a: immutable, keyed, atomic: list(item) } };
  const old = { a: 'x', keyed: [{ k: '1', v: 'x' }], atomic: [{ k: '1', v: 'x' }] };
  const next = {
    a: 'y',
    keyed: [
      { k: '2', v: 'z' },
      { k: '1', v: 'y' },
    ],
    atomic: [{ k: '1', v: 'y' }],
  };
  assert.deepEqual(validateRules(next, schema, undefined), []);
  assert.deepEqual(
    validateRules(next, schema, { value: old }).map(({ field }) => field),
    ['a', 'keyed[1].v'],
  );
  const first = ruled('oldSelf.hasValue() || self.n == 1', { n: int }, { optionalOldSelf: true });
  assert.equal(validateRules({ n: 2 }, first, undefined).length, 1);
  assert.equal(validateRules({ n: 2 }, first, { value: { n: 1 } }).length, 0);
});

/** In CPU time, so that other work on the machine does not count. */
function isSoon<T>(run: () => T): T {
  const began = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(began);
  assert.ok(user + system < 2_500_000, `it took ${String((user + system) / 1000)} ms`);
  return result;
}

const letters = (count: number) => 'a'.repeat(count);
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);
const sixteen = JSON.stringify(letters(16));
const deep: JsonSchema = { type: 'object', additionalProperties: int };
const deepItems = Array.from({ length: 3000 }, () =>
  Object.fromEntries(numbers(20).map((at) => [`k${String(at)}`, at])),
);

/** Each would take from seconds to days, or as much memory. */
const costly: [rule: string, properties: Record<string, JsonSchema>, value: object][] = [
  ['self.l.all(a, self.l.all(b, self.l.all(c, a + b + c > 0)))', { l: list(int) }, { l: numbers(2000).map(() => 1) }],
  [
    `self.s.replace('a', ${sixteen}).replace('a', ${sixteen}).replace('a', ${sixteen}) != ''`,
    { s: text },
    { s: letters(100_000) },
  ],
  ["self.s.split('').join(self.s) != ''", { s: text }, { s: letters(20_000) }],
  ["self.s.replace('', self.s) != ''", { s: text }, { s: letters(100_000) }],
  ['sets.contains(self.l, self.l)', { l: list(int) }, { l: numbers(60_000) }],
  ['sets.equivalent(self.l, self.l)', { l: list(int) }, { l: numbers(60_000) }],
  ['!sets.intersects(self.l, self.l.map(x, x + 100000))', { l: list(int) }, { l: numbers(60_000) }],
  ['self.l.all(x, self.l.indexOf(x) >= 0)', { l: list(int) }, { l: numbers(60_000) }],
  ['self.l.all(x, x in self.l)', { l: list(int) }, { l: numbers(60_000) }],
  ['self.l.all(x, x in self.l)', { l: list(deep) }, { l: deepItems }],
  ["self.s.split('').all(x, self.s.split('').all(y, x == y))", { s: text }, { s: letters(20_000) }],
  [
    'self.l.all(x, self.s.contains(self.t))',
    { l: list(int), s: text, t: text },
    { l: numbers(10_000), s: letters(100_000), t: `${letters(50_000)}b` },
  ],
  ['self.l.all(x, self.l.all(y, true || x == y))', { l: list(int) }, { l: numbers(60_000) }],
  [
    "self.l.all(x, self.s.matches('(?i)(\\\\pL{1,1000})$'))",
    { l: list(int), s: text },
    { l: numbers(1000), s: letters(10_000) },
  ],
  [
    'self.l.all(x, !self.s.matches(self.p + string(x)))',
    { l: list(int), s: text, p: text },
    { l: numbers(1000), s: 'a', p: '(?i)([a-z]{1,1000}[b-y]{1,1000}){1}'.repeat(5) },
  ],
  ["self.s.findAll('a.*b|a').size() > 0", { s: text }, { s: letters(100_000) }],
  [
    'self.l.all(x, self.m.exists(k, true))',
    { l: list(int), m: map(int) },
    { l: numbers(20_000), m: Object.fromEntries(numbers(20_000).map((at) => [`k${String(at)}`, at])) },
  ],
  ["self.l.all(x, timestamp(x).getHours('Europe/Berlin') >= 0)", { l: list(int) }, { l: numbers(60_000) }],
];
for (const [rule, properties, value] of costly) {
  test(`${rule} is stopped when it has cost as much as one call may`, () => {
    const said = isSoon(() => validateRules(value, ruled(rule, properties), undefined, 'spec').map(fieldErrorMessage));
    assert.deepEqual(said, [
      `spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${rule}`,
    ]);
  });
}

test('all rules over one object have one budget, and the first that finds it spent ends them', () => {
  const rule = 'self.l.all(a, self.l.all(b, a + b >= 0))';
  const schema = list(ruled(rule, { l: list(int) }));
  const value = Array.from({ length: 300 }, () => ({ l: numbers(300) }));
  assert.deepEqual(
    isSoon(() => validateRules(value, schema, undefined, 'spec')).map(({ detail }) => detail),
    ['validation failed due to running out of cost budget, no further validation rules will be run'],
  );
});

test('an expression for a message may cost no more than a rule', () => {
  const schema = ruled('false', { s: text }, { messageExpression: "self.s.split('').join(self.s)", message: 'm' });
  const said = isSoon(() => validateRules({ s: letters(20_000) }, schema, undefined, 'spec').map(fieldErrorMessage));
  assert.deepEqual(said, ['spec: Invalid value: "object": m']);
});

test('what ordinary rules cost over ordinary values is far from the end', () => {
  const properties = { l: list(text), s: text };
  const value = { l: numbers(200).map((at) => `name-${String(at)}`), s: letters(5000) };
  for (const rule of [
    'self.l.all(a, self.l.exists_one(b, a == b))',
    "self.l.all(a, a in self.l && a.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$'))",
    "self.s.replace('a', 'bb').size() == 10000",
    "self.l.join(',').split(',') == self.l",
    'sets.contains(self.l, self.l)',
  ]) {
    assert.deepEqual(validateRules(value, ruled(rule, properties), undefined), [], rule);
  }
});

const strategy = strategyFor(CUSTOM_RESOURCE_DEFINITIONS);
const definitionWith = (openAPIV3Schema: JsonSchema) => {
  const definition = cronTabDefinition([
    cronTabVersion({ schema: { openAPIV3Schema }, selectableFields: [], subresources: {} }),
  ]);
  strategy.applyDefaults(definition);
  strategy.prepareForCreate(definition);
  return definition;
};
const atRoot = (spec: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec } });

test('a rule that does not compile is refused, and one with a function unknown here is warned of', () => {
  const bad = definitionWith(atRoot(ruled('self.n <', { n: int })));
  const [error] = strategy.validate(bad);
  assert.equal(error?.field, 'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule');
  assert.match(error?.detail ?? '', /^compilation failed: ERROR: Syntax error/);
  assert.match(strategy.validate(definitionWith(atRoot(ruled('slef.n < 1', { n: int }))))[0]?.detail ?? '', /slef/);
  for (const rule of ['self.v.transformList(i, v, v).size() == 1', '!format.uuid().validate(self.v).hasValue()']) {
    assert.deepEqual(strategy.validate(definitionWith(atRoot(ruled(rule, { v: text })))), [], rule);
  }
  const unknown = definitionWith(atRoot(ruled('semver(self.v).major() > 1', { v: text })));
  assert.deepEqual(strategy.validate(unknown), []);
  assert.match(strategy.warnings(unknown)[0] ?? '', /^the rule "semver\(self\.v\).*" is not enforced here: /);
});

function rowOf(schema: JsonSchema) {
  const definition = definitionWith(schema);
  const status = { conditions: [{ type: 'Established', status: 'True' }] };
  const [kind] = kindsOf({ ...definition, status })?.served ?? [];
  assert(kind);
  return kind;
}

test('rules wait until the object fits the schema, and see its name', () => {
  const schema = atRoot(ruled('self.n < 3', { n: int }));
  schema['x-kubernetes-validations'] = [{ rule: 'self.metadata.name.startsWith("x")' }];
  const own = strategyFor(rowOf(schema));
  const made = (name: string, n: unknown) =>
    ({
      apiVersion: 'stable.example.com/v1',
      kind: 'CronTab',
      metadata: { name, namespace: 'default' },
      spec: { n },
    }) as KubeObject;
  assert.deepEqual(own.validate(made('a', 5)).map(fieldErrorMessage), [
    '<nil>: Invalid value: "object": failed rule: self.metadata.name.startsWith("x")',
    'spec: Invalid value: "object": failed rule: self.n < 3',
  ]);
  assert.deepEqual(own.validate(made('x', 'y')).map(fieldErrorMessage), [
    'spec.n: Invalid value: "string": spec.n in body must be of type integer: "string"',
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  ]);
});

test('an update is not refused for what it leaves as it was', () => {
  const own = strategyFor(rowOf(atRoot({ type: 'object', properties: { n: { ...int, maximum: 3 }, s: text } })));
  const made = (spec: object) => ({ metadata: { name: 'x', namespace: 'default' }, spec }) as KubeObject;
  assert.deepEqual(own.validateUpdate(made({ n: 5, s: 'new' }), made({ n: 5, s: 'old' })), []);
  assert.equal(own.validateUpdate(made({ n: 6, s: 'new' }), made({ n: 5, s: 'old' })).length, 1);
});
