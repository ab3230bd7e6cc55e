/**
 * Whether a schema is structural: every field has its type in one place, and what `allOf`, `anyOf`, `oneOf` and `not` add only restricts
 * values. Pruning and defaulting are only well defined over such a schema (KEP-20190603).
 */
import { deepEqual } from '../deep-equal.ts';
import { fieldErrorMessage, forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { patternProblem } from './patterns.ts';
import { isRecord, itemOf, type JsonSchema } from './schema.ts';

type Level = 'root' | 'item' | 'field';

/** In the order of their texts, as Kubernetes tells them. `path` is that of the schema itself. */
export function validateStructural(schema: JsonSchema, path: string): FieldError[] {
  const errors = [...checkInvariants(schema, 'root', path), ...checkCompleteness(schema, schema, path, path)];
  const texts = errors.map((error): [string, FieldError] => [fieldErrorMessage(error), error]);
  return texts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, error]) => error);
}

const missingType: Record<Level, string> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

const nested = (schema: JsonSchema): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([, each]) => isRecord(each)));

function checkInvariants(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { additionalProperties } = schema;
  const item = itemOf(schema);
  if (schema.type === 'array' && schema.items === undefined)
    errors.push(required(`${path}.items`, 'must be specified'));
  if (item) errors.push(...checkInvariants(item, 'item', `${path}.items`));
  for (const [name, property] of Object.entries(nested(schema))) {
    errors.push(...checkInvariants(property, 'field', `${path}.properties[${name}]`));
  }
  if (additionalProperties !== undefined) {
    const at = `${path}.additionalProperties`;
    if (level === 'root') errors.push(forbidden(at, 'must not be used at the root'));
    if (isRecord(additionalProperties)) errors.push(...checkInvariants(additionalProperties, 'field', at));
  }
  return [
    ...errors,
    ...checkExtensions(schema, path),
    ...checkValueRules(schema, intOrStringPattern(schema), path),
    ...checkType(schema, level, path),
    ...checkTypeMeta(schema, level, path),
  ];
}

function checkType(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const { type, additionalProperties } = schema;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const at = `${path}.type`;
  const errors: FieldError[] = [];
  if (embedded && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type ? invalid(at, type, why) : required(at, why));
  } else if (!type && schema['x-kubernetes-int-or-string'] !== true && !open) {
    errors.push(required(at, missingType[level]));
  }
  if (embedded && additionalProperties !== undefined) {
    const why = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbidden(`${path}.additionalProperties`, why));
  }
  if (level === 'root' && type && type !== 'object') errors.push(invalid(at, type, 'must be object at the root'));
  if (embedded && !open && Object.keys(schema.properties ?? {}).length === 0) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(`${path}.properties`, why));
  }
  return errors;
}

/** apiVersion, kind and metadata are specified by Kubernetes; a schema may only restrict the name. */
function checkTypeMeta(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const properties = nested(schema);
  const isResource = level === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  for (const name of ['kind', 'apiVersion']) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (!property || !isResource || property.type === 'string') continue;
    errors.push(invalid(`${path}.properties[${name}].type`, property.type ?? '', 'must be string'));
  }
  const metadata = Object.hasOwn(properties, 'metadata') ? properties['metadata'] : undefined;
  if (!metadata) return errors;
  const at = `${path}.properties[metadata]`;
  if (isResource && metadata.type !== 'object') {
    errors.push(invalid(`${at}.type`, metadata.type ?? '', 'must be object'));
  }
  if (level !== 'root') return errors;
  const { type: _type, default: _default, description: _description, properties: inner = {}, ...rest } = metadata;
  const others = Object.keys(inner).filter((name) => name !== 'name' && name !== 'generateName');
  if (others.length === 0 && Object.keys(rest).filter((key) => !valueRules.includes(key)).length === 0) return errors;
  const why = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
  return [...errors, forbidden(at, why)];
}

const valueRules: readonly string[] = ['required', 'minProperties', 'maxProperties'];

function checkExtensions(schema: JsonSchema, path: string): FieldError[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return [];
  return (['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const)
    .filter((name) => schema[name] === true)
    .map((name) => invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'));
}

const intOrString: JsonSchema[] = [{ type: 'integer' }, { type: 'string' }];

/** The two shapes in which a type under a junctor is allowed: `anyOf` of integer and string, alone or as the first of `allOf`. */
function intOrStringPattern({ anyOf, allOf }: JsonSchema): 'anyOf' | 'allOf' | undefined {
  if (deepEqual(anyOf, intOrString)) return 'anyOf';
  return deepEqual(allOf?.[0]?.anyOf, intOrString) ? 'allOf' : undefined;
}

interface Junctor {
  readonly schema: JsonSchema;
  /** `anyOf[1]`. */
  readonly name: string;
}

function junctorsOf({ allOf, anyOf, oneOf, not }: JsonSchema): Junctor[] {
  const lists = Object.entries({ anyOf, allOf, oneOf }).flatMap(([name, schemas]) =>
    (schemas ?? []).map((schema, index) => ({ schema, name: `${name}[${String(index)}]` })),
  );
  return [...lists, ...(not ? [{ schema: not, name: 'not' }] : [])];
}

function checkValueRules(schema: JsonSchema, allowed: 'anyOf' | 'allOf' | undefined, path: string): FieldError[] {
  const errors = junctorsOf(schema).flatMap(({ schema: inner, name }) => {
    if (allowed === 'anyOf' && name.startsWith('anyOf')) return [];
    return checkNested(inner, allowed === 'allOf' && name === 'allOf[0]', `${path}.${name}`);
  });
  const { pattern } = schema;
  const problem = pattern && patternProblem(pattern);
  if (problem) {
    const why = `must be a valid regular expression, but isn't: ${problem}`;
    errors.push(invalid(`${path}.pattern`, pattern, why));
  }
  return errors;
}

/** What says something other than which values are allowed has no place under a junctor. */
function checkNested(schema: JsonSchema, skipAnyOf: boolean, path: string): FieldError[] {
  const errors = checkValueRules(schema, skipAnyOf ? 'anyOf' : undefined, path);
  const item = itemOf(schema);
  if (item) errors.push(...checkNested(item, false, `${path}.items`));
  const properties = nested(schema);
  for (const [name, property] of Object.entries(properties)) {
    errors.push(...checkNested(property, false, `${path}.properties[${name}]`));
  }
  const forbid = (present: unknown, name: string, why: string): void => {
    if (present) errors.push(forbidden(`${path}.${name}`, `must be ${why} to be structural`));
  };
  forbid(schema.type, 'type', 'empty');
  forbid(schema.additionalProperties !== undefined, 'additionalProperties', 'undefined');
  forbid(schema.default !== undefined, 'default', 'undefined');
  forbid(schema.title, 'title', 'empty');
  forbid(schema.description, 'description', 'empty');
  forbid(schema.nullable, 'nullable', 'false');
  forbid(schema.externalDocs, 'externalDocs', 'undefined');
  for (const name of ['preserve-unknown-fields', 'embedded-resource', 'int-or-string'] as const) {
    forbid(schema[`x-kubernetes-${name}`], `x-kubernetes-${name}`, 'false');
  }
  forbid(schema['x-kubernetes-list-map-keys']?.length, 'x-kubernetes-list-map-keys', 'empty');
  forbid(schema['x-kubernetes-list-type'] !== undefined, 'x-kubernetes-list-type', 'undefined');
  forbid(schema['x-kubernetes-map-type'] !== undefined, 'x-kubernetes-map-type', 'undefined');
  forbid(schema['x-kubernetes-validations']?.length, 'x-kubernetes-validations', 'empty');
  if (Object.hasOwn(properties, 'metadata')) {
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  }
  return errors;
}

/** A field or an item that is restricted under a junctor must be specified outside of it. */
function checkCompleteness(rules: JsonSchema, schema: JsonSchema, path: string, rulesPath: string): FieldError[] {
  return junctorsOf(rules).flatMap(({ schema: inner, name }) =>
    checkNestedCompleteness(inner, schema, path, `${rulesPath}.${name}`),
  );
}

function checkNestedCompleteness(
  rules: JsonSchema,
  schema: JsonSchema | undefined,
  path: string,
  rulesPath: string,
): FieldError[] {
  if (!schema) return [required(path, `because it is defined in ${rulesPath}`)];
  const errors = checkCompleteness(rules, schema, path, rulesPath);
  const item = itemOf(rules);
  if (item) errors.push(...checkNestedCompleteness(item, itemOf(schema), `${path}.items`, `${rulesPath}.items`));
  const properties = nested(schema);
  for (const [name, property] of Object.entries(nested(rules))) {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const [at, rulesAt] = [`${path}.properties[${name}]`, `${rulesPath}.properties[${name}]`];
    errors.push(...checkNestedCompleteness(property, own, at, rulesAt));
  }
  return errors;
}
