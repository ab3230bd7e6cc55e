import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiVersionOf, KINDS } from '../kinds.ts';
import { openApiV2, openApiV2Protobuf, openApiV3, openApiV3Hash, openApiV3Index } from './index.ts';
import type { Json } from './schemas.ts';

type Documents = Record<string, Json>;

/** Every `$ref` in a document. */
function references(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const each of value) references(each, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      if (key === '$ref' && typeof each === 'string') found.add(each);
      else references(each, found);
    }
  }
  return found;
}

test('every reference of the v2 document has a definition', () => {
  const document = openApiV2();
  const definitions = document['definitions'] as Documents;
  for (const reference of references(document)) {
    assert(definitions[reference.replace('#/definitions/', '')], reference);
  }
});

test('every reference of every v3 document has a schema, and the index names each document with the hash of its content', () => {
  const { paths } = openApiV3Index();
  assert(paths['api/v1'] && paths['apis/apps/v1'] && paths['apis/discovery.k8s.io/v1']);
  for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
    const document = openApiV3(path);
    assert(document, path);
    const schemas = (document['components'] as { schemas: Documents }).schemas;
    for (const reference of references(document)) {
      assert(schemas[reference.replace('#/components/schemas/', '')], `${path}: ${reference}`);
    }
    assert.equal(serverRelativeURL, `/openapi/v3/${path}?hash=${openApiV3Hash(path)}`);
  }
  assert.equal(openApiV3('apis/example.com/v1'), undefined);
  assert.equal(openApiV3Hash('apis/example.com/v1'), '');
});

test('kubectl finds the kind and fieldValidation on the PATCH of every kind, in both versions', () => {
  for (const kind of KINDS) {
    const path = kind.group === '' ? 'api/v1' : `apis/${apiVersionOf(kind)}`;
    for (const document of [openApiV2(), openApiV3(path) ?? {}]) {
      const operations = Object.values(document['paths'] as Documents).map((each) => each['patch'] as Json | undefined);
      const patch = operations.find((each) => {
        const named = each?.['x-kubernetes-group-version-kind'] as
          { group: string; version: string; kind: string } | undefined;
        return named?.group === kind.group && named.version === kind.version && named.kind === kind.kind;
      });
      const parameters = (patch?.['parameters'] ?? []) as { name: string; in: string }[];
      assert(
        parameters.some((each) => each.name === 'fieldValidation' && each.in === 'query'),
        kind.kind,
      );
    }
  }
});

test('merge keys, list types and kinds are marked, and references stand alone where version 3 wants it', () => {
  const name = 'io.k8s.api.core.v1.ServiceSpec';
  const v2 = (openApiV2()['definitions'] as Record<string, { properties: Documents }>)[name];
  assert.deepEqual(
    [
      v2?.properties['ports']?.['x-kubernetes-patch-merge-key'],
      v2?.properties['ports']?.['x-kubernetes-patch-strategy'],
      v2?.properties['ports']?.['x-kubernetes-list-map-keys'],
    ],
    ['port', 'merge', ['port', 'protocol']],
  );
  const v3 = (openApiV3('api/v1')?.['components'] as { schemas: Record<string, Json & { properties: Documents }> })
    .schemas;
  assert.deepEqual(v3['io.k8s.api.core.v1.Service']?.['x-kubernetes-group-version-kind'], [
    { group: '', version: 'v1', kind: 'Service' },
  ]);
  assert.deepEqual(v3['io.k8s.api.core.v1.Service']?.properties['spec']?.['allOf'], [
    { $ref: `#/components/schemas/${name}` },
  ]);
  assert.deepEqual(v3['io.k8s.api.core.v1.ServicePort']?.['required'], ['port']);
});

/** One level of a protobuf message: field number -> its values. */
function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? assert.fail('the message ends inside a number');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    if ((key & 7) === 0) {
      fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), Uint8Array.of(varint())]);
      continue;
    }
    assert.equal(key & 7, 2);
    const length = varint();
    assert(at + length <= bytes.length);
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), bytes.subarray(at, at + length)]);
    at += length;
  }
  return fields;
}
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

test('the protobuf document holds the same definitions as the JSON one', () => {
  const document = fieldsOf(openApiV2Protobuf());
  assert.equal(text(document.get(1)?.[0]), '2.0');
  const pairs = (fieldsOf(document.get(9)?.[0] ?? new Uint8Array()).get(1) ?? []).map(fieldsOf);
  const names = pairs.map((pair) => text(pair.get(1)?.[0]));
  assert.deepEqual(names, Object.keys(openApiV2()['definitions'] as Documents));

  const port = fieldsOf(pairs[names.indexOf('io.k8s.api.core.v1.ServicePort')]?.get(2)?.[0] ?? new Uint8Array());
  assert.deepEqual(port.get(19)?.map(text), ['port']);
  const properties = (fieldsOf(port.get(25)?.[0] ?? new Uint8Array()).get(1) ?? []).map(fieldsOf);
  const targetPort = properties.find((each) => text(each.get(1)?.[0]) === 'targetPort');
  assert.equal(
    text(fieldsOf(targetPort?.get(2)?.[0] ?? new Uint8Array()).get(1)?.[0]),
    '#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  );
});

test('no schema is empty, as kubectl could not explain it', () => {
  const look = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const [index, each] of value.entries()) look(each, `${path}[${index}]`);
    else if (typeof value === 'object' && value !== null) {
      if (/\.(items|additionalProperties)$|\.properties\.[^.]+$/.test(path)) assert.notDeepEqual(value, {}, path);
      for (const [key, each] of Object.entries(value)) look(each, `${path}.${key}`);
    }
  };
  look(openApiV2()['definitions'], 'v2');
  for (const path of Object.keys(openApiV3Index().paths)) {
    look((openApiV3(path) as { components: { schemas: unknown } }).components.schemas, path);
  }
});
