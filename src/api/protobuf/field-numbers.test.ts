import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSchemas } from '../schema/load.ts';
import { messageFields, type MessageFields, type NumberedField } from './field-numbers.ts';

/** Every field of a message, those that stand inline among them. */
function flat(fields: MessageFields): NumberedField[] {
  return [...fields.values()].flatMap((field) => ('name' in field ? [field] : flat(field)));
}

const { types, kinds } = loadSchemas();
const definitionsOfKinds = new Set(Object.values(kinds));

test('every field that the schemas know has a number, and every number a field', () => {
  for (const [definition, { fields }] of Object.entries(types)) {
    // What an object is called stands in the envelope.
    const named = definitionsOfKinds.has(definition) ? ['apiVersion', 'kind'] : [];
    const expected = Object.keys(fields).filter((field) => !named.includes(field));
    const numbered = flat(messageFields(definition)).map(({ name }) => name);
    const missing = expected.filter((field) => !numbered.includes(field));
    const unknown = numbered.filter((field) => !Object.hasOwn(fields, field));
    assert.deepEqual({ missing, unknown }, { missing: [], unknown: [] }, definition);
  }
});

test('only texts, numbers and truth values are marked as pointers', () => {
  for (const [definition, { fields }] of Object.entries(types)) {
    for (const { name, pointer } of flat(messageFields(definition))) {
      if (pointer) assert.match(fields[name] ?? '', /^(string|boolean|int32|int64|double)$/, `${definition}.${name}`);
    }
  }
});

const field = (name: string, pointer = false) => ({ name, pointer });
const samples: [definition: string, number: number, expected: NumberedField][] = [
  ['io.k8s.api.core.v1.ServicePort', 5, field('nodePort')],
  ['io.k8s.api.core.v1.PodSpec', 4, field('terminationGracePeriodSeconds', true)],
  ['io.k8s.api.apps.v1.DeploymentSpec', 1, field('replicas', true)],
  ['io.k8s.api.coordination.v1.LeaseSpec', 1, field('holderIdentity', true)],
  ['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', 1, field('gracePeriodSeconds', true)],
];
for (const [definition, number, expected] of samples) {
  test(`${definition} has ${expected.name} at ${number}`, () => {
    assert.deepEqual(messageFields(definition).get(number), expected);
  });
}

test('a message whose fields stand inline is a level of its own', () => {
  const inline = messageFields('io.k8s.api.core.v1.Volume').get(2);
  assert(inline instanceof Map);
  assert.deepEqual(inline.get(6), field('secret'));
  assert.equal(messageFields('io.k8s.api.core.v1.Nothing').size, 0);
});
