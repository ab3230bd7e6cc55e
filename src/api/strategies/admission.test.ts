import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as K from '../kinds.ts';
import { create, stored, update } from '../testing.ts';

const client = 'clientConfig: {service: {namespace: n, name: s}}';
const webhook = (fields: string) =>
  `webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], ${fields}}]`;

test('a webhook gets the defaults of v1', () => {
  const rules = 'rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]';
  const { webhooks } = stored(K.MUTATING_WEBHOOK_CONFIGURATIONS, webhook(`${client}, ${rules}`));
  assert.deepEqual(webhooks, [
    {
      name: 'a.example.com',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      clientConfig: { service: { namespace: 'n', name: 's', port: 443 } },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: '*' }],
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      reinvocationPolicy: 'Never',
    },
  ]);
});

const refused: [why: string, yaml: string, errors: string[]][] = [
  [
    'a name that is no domain',
    `webhooks: [{name: a, sideEffects: None, admissionReviewVersions: [v1], ${client}}]`,
    ['webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots'],
  ],
  [
    'nobody to ask',
    webhook(''),
    ['webhooks[0].clientConfig: Required value: exactly one of url or service is required'],
  ],
  [
    'a plain URL',
    webhook('clientConfig: {url: "http://a.b"}'),
    [
      `webhooks[0].clientConfig.url: Invalid value: "http://a.b": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
    ],
  ],
  [
    'patience without end',
    webhook(`${client}, timeoutSeconds: 31`),
    ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
  ],
  [
    'an operation nobody does',
    webhook(`${client}, rules: [{apiGroups: ["*", a], apiVersions: [v1], operations: [READ], resources: [pods]}]`),
    [
      `webhooks[0].rules[0].apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other API groups`,
      'webhooks[0].rules[0].operations[0]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    ],
  ],
];
for (const [why, yaml, errors] of refused) {
  test(`a webhook with ${why} is refused`, () => {
    assert.deepEqual(create(K.VALIDATING_WEBHOOK_CONFIGURATIONS, yaml).errors, errors);
  });
}

test('a PriorityClass keeps its value, and the highest values are for the system', () => {
  const high = create(K.PRIORITY_CLASSES, 'value: 1000000001').errors;
  assert.deepEqual(high, ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000']);
  const own = create(K.PRIORITY_CLASSES, 'metadata: {name: system-mine}\nvalue: 1').errors;
  assert.match(own[0] ?? '', /^metadata.name: Forbidden: priority class names with 'system-' prefix are reserved/);
  const system = create(K.PRIORITY_CLASSES, 'metadata: {name: system-node-critical}\nvalue: 2000001000');
  assert.deepEqual(system.errors, []);
  const old = stored(K.PRIORITY_CLASSES, 'value: 5');
  assert.equal(old.preemptionPolicy, 'PreemptLowerPriority');
  const { errors } = update(K.PRIORITY_CLASSES, old, (object) => {
    object.value = 6;
  });
  assert.deepEqual(errors, ['value: Forbidden: may not be changed in an update.']);
});
