/** Random structural schemas, values of every shape, and values that fit a schema: for the laws in the tests. */
import fc from 'fast-check';
import type { JsonSchema } from './schema.ts';

const names = ['a', 'b', 'c', 'kind', 'metadata'] as const;

const scalar: fc.Arbitrary<JsonSchema> = fc.oneof(
  fc.record({ type: fc.constant('string'), default: fc.constantFrom('x', 'y') }, { requiredKeys: ['type'] }),
  fc.record(
    { type: fc.constant('integer'), default: fc.integer(), nullable: fc.boolean() },
    { requiredKeys: ['type'] },
  ),
  fc.record({ type: fc.constant('boolean') }),
  fc.record({ 'x-kubernetes-int-or-string': fc.constant(true) }),
);

const { schema: nestedSchema } = fc.letrec<{ schema: JsonSchema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.record(
      {
        type: fc.constant('object'),
        properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema')),
        'x-kubernetes-preserve-unknown-fields': fc.constant(true),
      },
      { requiredKeys: ['type', 'properties'] },
    ),
    fc.record({ type: fc.constant('object'), additionalProperties: tie('schema') }),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
  ),
}));

/** As it would come over the wire: plain objects. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Structural, with an object at the root. */
export const anySchema: fc.Arbitrary<JsonSchema> = fc
  .record({
    type: fc.constant('object'),
    properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), nestedSchema),
  })
  .map(plain);

/** Whether it fits or not. */
export const anyValue: fc.Arbitrary<Record<string, unknown>> = fc.dictionary(
  fc.constantFrom(...names),
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, true, 1, 2.5, 'x', ''),
      fc.dictionary(fc.constantFrom(...names), tie('value')),
      fc.array(tie('value'), { maxLength: 3 }),
    ),
  })).value,
);

export const anyFitting = (schema: JsonSchema): fc.Arbitrary<unknown> => fitting(schema).map(plain);

function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string']) return fc.oneof(fc.integer(), fc.string());
  const { properties, items, additionalProperties } = schema;
  switch (schema.type) {
    case 'string':
      return fc.string();
    case 'integer':
      return schema.nullable ? fc.oneof(fc.integer(), fc.constant(null)) : fc.integer();
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(fitting(items as JsonSchema), { maxLength: 3 });
    default:
      return properties
        ? fc.record(Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, fitting(each)])), {
            requiredKeys: [],
          })
        : fc.dictionary(fc.constantFrom('a', 'b'), fitting(additionalProperties as JsonSchema));
  }
}
