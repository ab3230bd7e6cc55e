import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { decodeObject } from './decode.ts';
import { findDuplicateFields, parseJsonWithDuplicates } from './json.ts';
import { parseYaml } from './yaml.ts';
import { CONFIG_MAPS, DEPLOYMENTS, KINDS, LEASES, PODS, SECRETS, SERVICES, type Kind } from './kinds.ts';
import { loadSchemas } from './schema/load.ts';

const refused: [kind: Kind, object: unknown, message: string][] = [
  [
    SERVICES,
    { spec: { ports: [{ port: '80' }] } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    SERVICES,
    { spec: { ports: {} } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
  ],
  [
    SERVICES,
    { spec: [] },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec',
  ],
  [
    SERVICES,
    { spec: { ports: [{ port: 3000000000 }] } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal number 3000000000 into Go struct field ServicePort.spec.ports.port of type int32',
  ],
  [
    SERVICES,
    { spec: { publishNotReadyAddresses: 'yes' } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServiceSpec.spec.publishNotReadyAddresses of type bool',
  ],
  [
    SERVICES,
    { metadata: { labels: { a: 1 } } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
  ],
  [
    SERVICES,
    { spec: { ports: [{ targetPort: true }] } },
    'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal bool into Go value of type int32',
  ],
  [
    PODS,
    { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } },
    `Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
  ],
  [
    SECRETS,
    { data: { key: 'not base64!' } },
    'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 3',
  ],
  [
    LEASES,
    { spec: { renewTime: 'now' } },
    'Lease in version "v1" cannot be handled as a Lease: parsing time "now" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "now" as "2006"',
  ],
  [
    SERVICES,
    { apiVersion: 'v2', kind: 'Service' },
    'the API version in the data (v2) does not match the expected API version (v1)',
  ],
];
for (const [kind, object, message] of refused) {
  test(`decoding refuses ${JSON.stringify(object)} as a ${kind.kind}`, () => {
    assert.throws(
      () => decodeObject(kind, object),
      (error: unknown) =>
        error instanceof ApiError && error.code === 400 && assert.equal(error.message, message) === undefined,
    );
  });
}

test('another kind, a list and plain values are refused', () => {
  for (const object of [{ kind: 'Pod', apiVersion: 'v1' }, [], 'text', null]) {
    assert.throws(
      () => decodeObject(SERVICES, object),
      (error: unknown) => error instanceof ApiError && error.code === 400,
    );
  }
});

test('unknown fields are dropped and named with their path', () => {
  const { object, unknownFields } = decodeObject(SERVICES, {
    metadata: { name: 'a', nickname: 'b' },
    spec: { foo: 1, ports: [{ port: 1 }, { port: 2, prot: 'TCP' }] },
  });
  assert.deepEqual(unknownFields, [
    'unknown field "metadata.nickname"',
    'unknown field "spec.foo"',
    'unknown field "spec.ports[1].prot"',
  ]);
  assert.deepEqual(object.spec, { ports: [{ port: 1 }, { port: 2 }] });
});

test('null counts as absent, as in Go', () => {
  const { object, unknownFields } = decodeObject(PODS, {
    metadata: { name: 'a', creationTimestamp: null, labels: { empty: null } },
    spec: { containers: null, nodeSelector: null },
    status: null,
  });
  assert.deepEqual(unknownFields, []);
  assert.deepEqual(object, {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'a', labels: { empty: '' } },
    spec: { containers: [] },
  });
});

test('a required value that is missing reads as the zero value, a missing struct stays missing', () => {
  const { object } = decodeObject(DEPLOYMENTS, { spec: { template: { spec: { containers: [{ ports: [{}] }] } } } });
  assert.deepEqual(object.spec, { template: { spec: { containers: [{ name: '', ports: [{ containerPort: 0 }] }] } } });
});

test('numbers are taken where a quantity or a port name may stand, and times come out in UTC', () => {
  const pod = decodeObject(PODS, {
    metadata: { creationTimestamp: '2026-11-20T13:00:00.7+01:00' },
    spec: { containers: [{ resources: { limits: { cpu: 1, memory: '0.5Gi' } } }] },
  }).object;
  assert.equal(pod.metadata.creationTimestamp, '2026-11-20T12:00:00Z');
  assert.deepEqual(pod.spec.containers[0]?.resources?.limits, { cpu: '1', memory: '512Mi' });
  const lease = decodeObject(LEASES, { spec: { renewTime: '2026-11-20T12:00:00.5Z' } }).object;
  assert.equal(lease.spec?.renewTime, '2026-11-20T12:00:00.500000Z');
});

test('a key named __proto__ stays data', () => {
  const raw = JSON.parse('{"data":{"__proto__":"x"}}') as unknown;
  const { object } = decodeObject(CONFIG_MAPS, raw);
  assert.equal(Object.hasOwn(object.data ?? {}, '__proto__'), true);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('nothing of the input is shared with the decoded object', () => {
  const raw = { metadata: { labels: { a: 'b' } }, spec: { ports: [{ port: 1 }] } };
  const { object } = decodeObject(SERVICES, raw);
  raw.metadata.labels.a = 'changed';
  raw.spec.ports[0]!.port = 2;
  assert.equal(object.metadata.labels?.['a'], 'b');
  assert.equal(object.spec.ports?.[0]?.port, 1);
});

const duplicates: [text: string, found: string[]][] = [
  ['{"a":1,"b":2}', []],
  ['{"a":1,"a":2}', ['duplicate field "a"']],
  ['{"spec":{"ports":[{"port":1},{"port":1,"port":2,"port":3}]}}', ['duplicate field "spec.ports[1].port"']],
  ['{"a":{"x":1},"b":{"x":1}}', []],
  ['{"a":"{\\"b\\":1,\\"b\\":2}","c":","}', []],
  ['{"a":[[{"b":1,"b":1}]]}', ['duplicate field "a[0][0].b"']],
  ['{"\\u0061":1,"a":2}', ['duplicate field "a"']],
];
for (const [text, found] of duplicates) {
  test(`${text} has ${found.length} duplicate fields`, () => {
    assert.deepEqual(findDuplicateFields(text), found);
  });
}

test('text that is no JSON, and JSON nested without end, are bad requests', () => {
  assert.throws(
    () => parseJsonWithDuplicates('{"a":'),
    (error: unknown) => error instanceof ApiError && error.code === 400,
  );
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  assert.throws(() => parseJsonWithDuplicates(deep), /exceeded max depth/);
});

test('YAML is read like JSON, and an alias bomb is refused', () => {
  assert.deepEqual(parseYaml('a: 1\nb: [x, "2"]').value, { a: 1, b: ['x', '2'] });
  assert.throws(
    () => parseYaml('a: [1'),
    (error: unknown) => error instanceof ApiError && error.code === 400,
  );
  // Each has nine of the one before it: five million in the end.
  const bomb = [
    'a: &a [x]',
    ...'bcdefgh'.split('').map((key, at) => `${key}: &${key} [${`*${'abcdefg'[at] ?? ''},`.repeat(9)}]`),
  ];
  assert.throws(
    () => parseYaml(bomb.join('\n')),
    (error: unknown) => error instanceof ApiError && error.code === 400,
  );
});

test('the schemas cover every served kind and refer to nothing that is missing', () => {
  const { kinds, types } = loadSchemas();
  for (const kind of KINDS) {
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    assert(kinds[`${apiVersion}/${kind.kind}`], `${apiVersion} ${kind.kind}`);
    assert(kinds[`${apiVersion}/${kind.kind}List`], `${apiVersion} ${kind.kind}List`);
  }
  for (const [name, { fields, required }] of Object.entries(types)) {
    for (const [field, type] of Object.entries(fields)) {
      const item = type.replace(/^(\[\]|\{\})+/, '');
      if (item.startsWith('#')) assert(types[item.slice(1)], `${name}.${field}: ${type}`);
    }
    for (const field of required) assert(fields[field], `${name} requires ${field}`);
  }
});
