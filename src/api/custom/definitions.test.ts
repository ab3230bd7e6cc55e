import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cronTabDefinition, cronTabVersion } from '../../../test/support/custom-resources.ts';
import { fieldErrorMessage } from '../field-error.ts';
import { strategyFor } from '../strategies.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../kinds.ts';
import type { KubeObject } from '../types.ts';
import type { CustomResourceDefinition, DefinitionVersion } from './definition.ts';
import { kindsOf } from './kinds.ts';
import { planStatus } from './names.ts';
import type { JsonSchema } from './schema.ts';
import { anyFitting, anySchema } from './testing.ts';

const strategy = strategyFor(CUSTOM_RESOURCE_DEFINITIONS);

function complete(definition: CustomResourceDefinition): CustomResourceDefinition {
  const copy = structuredClone(definition);
  strategy.applyDefaults(copy);
  strategy.prepareForCreate(copy);
  return copy;
}

const problems = (definition: CustomResourceDefinition): string[] =>
  strategy.validate(complete(definition)).map(fieldErrorMessage);

test('the definition that the tests share is fine', () => {
  assert.deepEqual(problems(cronTabDefinition()), []);
});

test('names that are left out follow from the kind', () => {
  const { spec, status } = complete(cronTabDefinition(undefined, { names: { plural: 'crontabs', kind: 'CronTab' } }));
  assert.deepEqual(spec.names, { plural: 'crontabs', kind: 'CronTab', singular: 'crontab', listKind: 'CronTabList' });
  assert.deepEqual([spec.conversion, status?.storedVersions], [{ strategy: 'None' }, ['v1']]);
});

const version = (name: string, more: Partial<DefinitionVersion> = {}) => cronTabVersion({ name, ...more });
const label =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

const specs: [what: string, definition: CustomResourceDefinition, ...messages: string[]][] = [
  [
    'a name that is not plural.group',
    { ...cronTabDefinition(), metadata: { name: 'x' } },
    'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group',
  ],
  [
    'a group without a dot',
    { ...cronTabDefinition(undefined, { group: 'example' }), metadata: { name: 'crontabs.example' } },
    'spec.group: Invalid value: "example": should be a domain with at least one dot',
  ],
  [
    "a group of Kubernetes' own without approval",
    { ...cronTabDefinition(undefined, { group: 'x.k8s.io' }), metadata: { name: 'crontabs.x.k8s.io' } },
    'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
  ],
  [
    'an unknown scope',
    cronTabDefinition(undefined, { scope: 'Galaxy' }),
    'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
  ],
  [
    'a kind that is its own list',
    cronTabDefinition(undefined, { names: { plural: 'crontabs', kind: 'CronTab', listKind: 'CronTab' } }),
    'spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same',
  ],
  [
    'a short name in capitals',
    cronTabDefinition(undefined, { names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['CT'] } }),
    `spec.names.shortNames[0]: Invalid value: "CT": ${label}`,
  ],
  [
    'no schema',
    cronTabDefinition([{ name: 'v1', served: true, storage: true }]),
    'spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required',
  ],
  [
    'a conversion webhook',
    cronTabDefinition(undefined, { conversion: { strategy: 'Webhook', webhook: {} } }),
    'spec.conversion.strategy: Forbidden: conversion webhooks are not called here',
  ],
  [
    'a warning on a version that is not deprecated',
    cronTabDefinition([version('v1', { deprecationWarning: 'old' })]),
    'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions',
  ],
];
for (const [what, definition, ...messages] of specs) {
  test(`a definition with ${what} is refused`, () => {
    assert.deepEqual(problems(definition), messages);
  });
}

test('exactly one version is stored, and names of versions are unique', () => {
  const two = problems(cronTabDefinition([version('v1'), version('v1')])).map((text) =>
    text.replace(/\[\{.*\}\]/, '…'),
  );
  assert.deepEqual(two, [
    'spec.versions: Invalid value: …: must contain unique version names',
    'spec.versions: Invalid value: …: must have exactly one version marked as storage version',
  ]);
});

const withParts = (more: Partial<DefinitionVersion>) => cronTabDefinition([cronTabVersion(more)]);
const column = (more: object) =>
  withParts({ additionalPrinterColumns: [{ name: 'X', type: 'string', jsonPath: '.x', ...more }] });
const scale = (more: object) =>
  withParts({
    subresources: { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', ...more } },
  });
const parts: [definition: CustomResourceDefinition, message: string][] = [
  [
    column({ type: 'list' }),
    'spec.additionalPrinterColumns[0].type: Invalid value: "list": must be one of boolean,date,integer,number,string',
  ],
  [
    column({ format: 'x' }),
    'spec.additionalPrinterColumns[0].format: Invalid value: "x": must be one of byte,date,date-time,double,float,int32,int64,password',
  ],
  [
    column({ jsonPath: 'x' }),
    'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json path starting with .',
  ],
  [column({ name: '' }), 'spec.additionalPrinterColumns[0].name: Required value'],
  [scale({ specReplicasPath: '' }), 'spec.subresources.scale.specReplicasPath: Required value'],
  [
    scale({ specReplicasPath: '.status.x' }),
    'spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
  ],
  [
    scale({ labelSelectorPath: '.metadata.x' }),
    'spec.subresources.scale.labelSelectorPath: Invalid value: ".metadata.x": should be a json path under either .spec or .status',
  ],
  [
    withParts({ selectableFields: [{ jsonPath: '.spec.nothing' }] }),
    'spec.selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not refer to a valid field',
  ],
  [
    withParts({ selectableFields: [{ jsonPath: '.spec' }] }),
    'spec.selectableFields[0].jsonPath: Invalid value: ".spec": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
  ],
  [
    withParts({ selectableFields: [{ jsonPath: '.spec.image' }, { jsonPath: '.spec.image' }] }),
    'spec.selectableFields[1].jsonPath: Duplicate value: ".spec.image"',
  ],
];
for (const [definition, message] of parts) {
  test(message, () => {
    assert.deepEqual(problems(definition), [message]);
  });
}

/** `at` is what follows `spec.validation.openAPIV3Schema`. */
const schemas: [schema: JsonSchema, ...messages: [at: string, message: string][]][] = [
  [{}, ['.type', 'Required value: must not be empty at the root']],
  [{ type: 'array', items: { type: 'string' } }, ['.type', 'Invalid value: "array": must be object at the root']],
  [
    { type: 'object', additionalProperties: true },
    ['.additionalProperties', 'Forbidden: must not be used at the root'],
  ],
  [{ type: 'object', nullable: true }, ['.nullable', 'Forbidden: nullable cannot be true at the root']],
  [
    { type: 'object', properties: { a: {} } },
    ['.properties[a].type', 'Required value: must not be empty for specified object fields'],
  ],
  [
    { type: 'object', properties: { a: { type: 'array', items: {} } } },
    ['.properties[a].items.type', 'Required value: must not be empty for specified array items'],
  ],
  [
    { type: 'object', properties: { a: { type: 'array' } } },
    ['.properties[a].items', 'Required value: must be specified'],
  ],
  [
    {
      type: 'object',
      properties: { a: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] } },
    },
  ],
  [{ type: 'object', properties: { a: { 'x-kubernetes-preserve-unknown-fields': true } } }],
  [
    { type: 'object', properties: { a: { type: 'string', anyOf: [{ type: 'string' }] } } },
    ['.properties[a].anyOf[0].type', 'Forbidden: must be empty to be structural'],
  ],
  [
    { type: 'object', oneOf: [{ properties: { a: { minLength: 1 } } }] },
    [
      '.properties[a]',
      'Required value: because it is defined in spec.validation.openAPIV3Schema.oneOf[0].properties[a]',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
    [
      '.properties[a].pattern',
      'Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `(`',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'text' } } },
    [
      '.properties[a].type',
      'Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', $ref: '#/x' } } },
    ['.properties[a].$ref', 'Forbidden: $ref is not supported'],
  ],
  [
    { type: 'object', properties: { a: { type: 'array', items: { type: 'string' }, uniqueItems: true } } },
    [
      '.properties[a].uniqueItems',
      'Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    ],
  ],
  [
    {
      type: 'object',
      properties: {
        a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } },
      },
    },
    ['.properties[a].additionalProperties', 'Forbidden: additionalProperties and properties are mutual exclusive'],
  ],
  [
    { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
    [
      '.properties[metadata]',
      'Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ],
  ],
  [
    {
      type: 'object',
      properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 10 } } } },
    },
  ],
  [
    { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
    [
      '.properties[a].default',
      'Invalid value: "string": spec.validation.openAPIV3Schema.properties[a].default in body must be of type integer: "string"',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'object', default: { x: 1 } } } },
    ['.properties[a].default', 'Invalid value: {"x":1}: must not have unknown fields'],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', 'x-kubernetes-embedded-resource': true } } },
    [
      '.properties[a].properties',
      'Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
    ],
    ['.properties[a].type', 'Invalid value: "string": must be object if x-kubernetes-embedded-resource is true'],
  ],
  [
    {
      type: 'object',
      properties: {
        a: {
          type: 'array',
          items: { type: 'object', properties: { k: { type: 'string' } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
        },
      },
    },
    [
      '.properties[a].items.properties[k].default',
      'Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    ],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } },
    },
    ['.properties[a].x-kubernetes-list-map-keys', 'Required value: must not be empty if x-kubernetes-list-type is map'],
  ],
  [
    {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' } },
    },
    [
      '.properties[a].items.x-kubernetes-map-type',
      'Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
    ],
  ],
  [
    { type: 'object', properties: { a: { type: 'string', 'x-kubernetes-list-type': 'atomic' } } },
    ['.properties[a].type', 'Invalid value: "string": must be array if x-kubernetes-list-type is specified'],
  ],
  [
    { type: 'object', 'x-kubernetes-validations': [{ rule: ' ' }] },
    ['.x-kubernetes-validations[0].rule', 'Required value: rule is not specified'],
  ],
  [
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': false },
    ['.x-kubernetes-preserve-unknown-fields', 'Invalid value: false: must be true or undefined'],
  ],
];
for (const [schema, ...messages] of schemas) {
  test(`${JSON.stringify(schema)} is ${messages.length === 0 ? 'structural' : 'refused'}`, () => {
    const expected = messages.map(([at, message]) => `spec.validation.openAPIV3Schema${at}: ${message}`);
    assert.deepEqual(problems(withSchema(schema)), expected);
  });
}

function withSchema(openAPIV3Schema: JsonSchema): CustomResourceDefinition {
  return cronTabDefinition([{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }]);
}

test('where versions differ, errors name the version', () => {
  const bad = { openAPIV3Schema: { type: 'object', properties: { a: {} } } };
  assert.deepEqual(
    problems(cronTabDefinition([version('v1'), version('v2', { storage: false, schema: bad, selectableFields: [] })])),
    [
      'spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields',
    ],
  );
});

test('what is established keeps its scope and its kind', () => {
  const old = complete(cronTabDefinition());
  old.status = planStatus(old, [], 'now');
  const next = structuredClone(old);
  next.spec.scope = 'Cluster';
  next.spec.names.kind = 'Other';
  strategy.prepareForUpdate(next, old);
  assert.deepEqual(strategy.validateUpdate(next, old).map(fieldErrorMessage), [
    'spec.scope: Invalid value: "Cluster": field is immutable',
    'spec.names.kind: Invalid value: "Other": field is immutable',
  ]);
});

test('an unknown format is warned of once, and not again', () => {
  const odd = withSchema({ type: 'object', properties: { a: { type: 'string', format: 'odd' } } });
  assert.deepEqual(strategy.warnings(odd), ['unrecognized format "odd"']);
  assert.deepEqual(strategy.warnings(odd, odd), []);
});

test('a status that says all there is to say stays the very same', () => {
  const definition = complete(cronTabDefinition());
  definition.status = planStatus(definition, [], '2026-01-01T00:00:00Z');
  assert.equal(planStatus(definition, [], '2027-01-01T00:00:00Z'), definition.status);
});

test('kinds come with the preferred version first, and none before the definition is established', () => {
  const versions = ['v1', 'v2beta1', 'v2'].map((name, at) => version(name, { storage: at === 0 }));
  const definition = complete(cronTabDefinition([...versions, version('v3', { served: false, storage: false })]));
  assert.equal(kindsOf(definition), undefined);
  definition.status = planStatus(definition, [], 'now');
  const kinds = kindsOf(definition);
  assert.deepEqual(
    kinds?.served.map((kind) => kind.version),
    ['v2', 'v1', 'v2beta1'],
  );
  assert.equal(kinds.stored.version, 'v1');
});

test('an object that was taken comes back from the store as it was', () => {
  fc.assert(
    fc.property(
      anySchema.chain((schema) => fc.tuple(fc.constant(schema), anyFitting(schema))),
      ([schema, spec]) => {
        const status = { conditions: [{ type: 'Established', status: 'True' }] };
        const definition = complete(withSchema({ type: 'object', properties: { spec: schema } }));
        const [kind] = kindsOf({ ...definition, status })?.served ?? [];
        assert(kind?.custom);
        const own = strategyFor(kind);
        const raw = {
          apiVersion: 'stable.example.com/v1',
          kind: 'CronTab',
          metadata: { name: 'x', namespace: 'y' },
          spec,
        };
        const { object, unknownFields } = kind.custom.decode(raw);
        assert.deepEqual(unknownFields, []);
        own.applyDefaults(object);
        own.prepareForCreate(object);
        assert.deepEqual(own.validate(object), []);
        const stored = JSON.stringify(kind.custom.toStored(object));
        assert.deepEqual(kind.custom.fromStored(JSON.parse(stored) as KubeObject), object);
      },
    ),
  );
});
