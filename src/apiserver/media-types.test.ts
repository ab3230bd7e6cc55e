import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyFormatOf, chooseMediaType, discoveryForms, mergePatchTypeOf, patchTypeOf } from './media-types.ts';
import { isStatusError } from '../../test/support/status-error.ts';

const rows: [accept: string | undefined, expected: string][] = [
  [undefined, 'json'],
  ['*/*', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf,application/json', 'json'],
  ['application/vnd.kubernetes.protobuf, */*', 'json'],
  [
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
    'json Table v1',
  ],
  ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', 'json'],
  ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'json PartialObjectMetadataList v1'],
  ['application/yaml;q=0.5, application/json;q=0.9', 'json'],
];
for (const [accept, expected] of rows) {
  test(`Accept ${String(accept)} is answered in ${expected}`, () => {
    const { format, as, version } = chooseMediaType(accept);
    assert.equal([format, as, version].filter(Boolean).join(' '), expected);
  });
}

test('what cannot be answered is 406', () => {
  assert.throws(() => chooseMediaType('image/png'), isStatusError(406, 'NotAcceptable'));
  assert.throws(() => chooseMediaType('application/vnd.kubernetes.protobuf'), isStatusError(406, 'NotAcceptable'));
});

test('aggregated discovery is chosen by its parameters', () => {
  const accept =
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
  assert.deepEqual(chooseMediaType(accept, discoveryForms), {
    format: 'json',
    as: 'APIGroupDiscoveryList',
    version: 'v2',
  });
});

test('patch types and body formats are told apart, others are 415 with what is supported', () => {
  assert.equal(patchTypeOf('application/strategic-merge-patch+json; charset=utf-8'), 'strategic');
  assert.equal(patchTypeOf('application/json-patch+json'), 'json');
  assert.throws(
    () => patchTypeOf('application/apply-patch+cbor'),
    isStatusError(415, 'UnsupportedMediaType', 'application/json-patch+json, application/merge-patch+json'),
  );
  assert.equal(patchTypeOf('application/apply-patch+yaml'), 'apply');
  assert.throws(() => mergePatchTypeOf('application/apply-patch+yaml'), isStatusError(415, 'UnsupportedMediaType'));
  assert.equal(bodyFormatOf(undefined), 'json');
  assert.equal(bodyFormatOf('application/yaml'), 'yaml');
  assert.throws(() => bodyFormatOf('text/html'), isStatusError(415, 'UnsupportedMediaType'));
});
