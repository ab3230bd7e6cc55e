/** What a schema may not say, besides having to be structural: OpenAPI that Kubernetes leaves out, lists and maps, and defaults. */
import { deepEqual } from '../deep-equal.ts';
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { decodeMetadata } from '../decode.ts';
import { applyDefaults } from './defaults.ts';
import { prune } from './prune.ts';
import { compileRule } from './cel.ts';
import { isRecord, itemOf, type JsonSchema, type ValidationRule } from './schema.ts';
import { validateStructural } from './structural.ts';
import { validateValue } from './validate-value.ts';

/** The whole schema of one version. `path` ends with `openAPIV3Schema`. */
export function validateSchema(schema: JsonSchema, hasStatus: boolean, path: string): FieldError[] {
  const errors: FieldError[] = hasStatus ? checkRoot(schema, path) : [];
  if (schema.nullable) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const structural = validateStructural(schema, path);
  errors.push(...structural);
  // Defaults are judged by the schema, so it must make sense first.
  if (structural.length === 0) errors.push(...checkDefaults(schema, path, true, false));
  return [...errors, ...checkRules(schema, path, { isRoot: true, insideMeta: false })];
}

/** What the status subresource would lose when the schema of `status` is taken alone. */
const notWithStatus: readonly (keyof JsonSchema)[] = ['allOf', 'anyOf', 'oneOf', 'not', 'additionalProperties', 'enum'];
const allowedWithStatus =
  '[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]';

function checkRoot(schema: JsonSchema, path: string): FieldError[] {
  if (schema.type && schema.type !== 'object') {
    const why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    return [invalid(`${path}.type`, schema.type, why)];
  }
  if (!notWithStatus.some((name) => schema[name] !== undefined)) return [];
  const why = `only ${allowedWithStatus} fields are allowed at the root of the schema if the status subresource is enabled`;
  return [invalid(path, schema, why)];
}

interface Place {
  readonly isRoot: boolean;
  /** Inside apiVersion, kind or metadata of a resource. */
  readonly insideMeta: boolean;
  /** Why there may be no default here. */
  readonly noDefault?: string;
}

const types: readonly string[] = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const metaFields: readonly string[] = ['apiVersion', 'kind', 'metadata'];

function checkRules(schema: JsonSchema, path: string, place: Place): FieldError[] {
  const errors = [...checkUnsupported(schema, path, place), ...checkExtensions(schema, path)];
  const inner: Place = { ...place, isRoot: false };
  const descend = (child: unknown, name: string, at: Place): void => {
    if (isRecord(child)) errors.push(...checkRules(child, `${path}.${name}`, at));
  };
  const { additionalProperties, properties = {} } = schema;
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && additionalProperties !== true) {
      const why = 'additionalProperties and properties are mutual exclusive';
      errors.push(forbidden(`${path}.additionalProperties`, why));
    }
    const why = 'inside additionalProperties applying to object metadata';
    descend(additionalProperties, 'additionalProperties', place.insideMeta ? { ...inner, noDefault: why } : inner);
  }
  const isResource = place.isRoot || schema['x-kubernetes-embedded-resource'] === true;
  for (const [name, property] of Object.entries(properties)) {
    const isMeta = isResource && metaFields.includes(name);
    const noDefault = isMeta && place.isRoot ? { noDefault: `in top-level ${name}` } : {};
    descend(property, `properties[${name}]`, isMeta ? { ...inner, insideMeta: true, ...noDefault } : inner);
  }
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, each] of (schema[name] ?? []).entries()) descend(each, `${name}[${String(index)}]`, inner);
  }
  descend(schema.not, 'not', inner);
  descend(schema.items, 'items', inner);
  return errors;
}

function checkUnsupported(schema: JsonSchema, path: string, { insideMeta, noDefault }: Place): FieldError[] {
  const errors: FieldError[] = [];
  const forbid = (present: boolean, name: string, why: string): void => {
    if (present) errors.push(forbidden(`${path}.${name}`, why));
  };
  const { type } = schema;
  if (type === 'null') forbid(true, 'type', 'type cannot be set to null, use nullable as an alternative');
  else if (type && !types.includes(type)) errors.push(notSupported(`${path}.type`, type, types));
  forbid(schema.default !== undefined && noDefault !== undefined, 'default', `must not be set ${noDefault ?? ''}`);
  forbid(Boolean(schema.id), 'id', 'id is not supported');
  for (const name of ['additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const) {
    forbid(schema[name] !== undefined, name, `${name} is not supported`);
  }
  const { items } = schema;
  forbid(items !== undefined && !isRecord(items), 'items', 'items must be a schema object and not an array');
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  forbid(insideMeta && embedded, 'x-kubernetes-embedded-resource', 'must not be used inside of resource meta');
  const quadratic = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
  forbid(schema.uniqueItems === true, 'uniqueItems', quadratic);
  return errors;
}

function checkExtensions(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type } = schema;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined) {
    errors.push(...mustBe('object', type, 'x-kubernetes-map-type', path));
    if (!['atomic', 'granular'].includes(mapType)) {
      errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
    }
  }
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== undefined) {
    const wrong = mustBe('array', type, 'x-kubernetes-list-type', path);
    errors.push(...wrong);
    if (wrong.length === 0 && listType === 'set') errors.push(...checkSet(schema, path));
    if (!['atomic', 'set', 'map'].includes(listType)) {
      errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
    }
  }
  return [...errors, ...checkListMap(schema, path), ...checkValidations(schema, path)];
}

function mustBe(wanted: string, type: string | undefined, extension: string, path: string): FieldError[] {
  if (type === wanted) return [];
  const why = `must be ${wanted} if ${extension} is specified`;
  return [type ? invalid(`${path}.type`, type, why) : required(`${path}.type`, why)];
}

/** Items of a set are compared whole. */
function checkSet(schema: JsonSchema, path: string): FieldError[] {
  const item = itemOf(schema);
  if (!item) return [];
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const at = `${path}.items`;
  const errors = item.nullable
    ? [forbidden(`${at}.nullable`, 'cannot be nullable when x-kubernetes-list-type is set')]
    : [];
  const listType = item['x-kubernetes-list-type'];
  if (item.type === 'array' && listType !== undefined && listType !== 'atomic') {
    errors.push(invalid(`${at}.x-kubernetes-list-type`, listType, why));
  }
  const mapType = item['x-kubernetes-map-type'];
  if (item.type === 'object' && mapType !== 'atomic') {
    errors.push(invalid(`${at}.x-kubernetes-map-type`, mapType ?? null, why));
  }
  return errors;
}

function checkListMap(schema: JsonSchema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType !== 'map') {
    if (keys.length === 0) return [];
    const at = `${path}.x-kubernetes-list-type`;
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    return [listType === undefined ? required(at, why) : invalid(at, listType, why)];
  }
  const at = `${path}.x-kubernetes-list-map-keys`;
  const errors: FieldError[] = [];
  if (keys.length === 0) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  const item = itemOf(schema);
  if (!item) {
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return errors;
  }
  if (item.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    return [...errors, invalid(`${path}.items.type`, item.type ?? '', why)];
  }
  if (item.nullable) {
    errors.push(forbidden(`${path}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is map'));
  }
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index) errors.push(invalid(at, keys, 'must not contain duplicate entries'));
    const properties = item.properties ?? {};
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property) errors.push(...checkMapKey(key, property, item, `${path}.items.properties[${key}]`));
    else errors.push(invalid(at, keys, 'entries must all be names of item properties'));
  }
  return errors;
}

function checkMapKey(key: string, property: JsonSchema, item: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '' } = property;
  if (type === 'array' || type === 'object') {
    const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.type`, item.type, why));
  }
  if (!item.required?.includes(key) && property.default === undefined) {
    const why = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
    errors.push(required(`${path}.default`, why));
  }
  if (property.nullable) {
    const why = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
    errors.push(forbidden(`${path}.nullable`, why));
  }
  return errors;
}

/** The form of CEL rules, and whether they compile. */
function checkValidations(schema: JsonSchema, path: string): FieldError[] {
  return (schema['x-kubernetes-validations'] ?? []).flatMap((each, index) => {
    const { rule, message } = each;
    const at = `${path}.x-kubernetes-validations[${String(index)}]`;
    const text = (message ?? '').trim();
    if (rule.trim() === '') return [required(`${at}.rule`, 'rule is not specified')];
    if (message && text === '') return [invalid(`${at}.message`, message, 'message must be non-empty if specified')];
    if (/[\n\r]/.test(text)) return [invalid(`${at}.message`, message, 'message must not contain line breaks')];
    if (/[\n\r]/.test(rule.trim()) && text === '') {
      return [required(`${at}.message`, 'message must be specified if rule contains line breaks')];
    }
    return checkExpressions(each, at);
  });
}

function checkExpressions(rule: ValidationRule, at: string): FieldError[] {
  const { reason, messageExpression } = rule;
  const errors: FieldError[] = [];
  if (reason && !reasons.includes(reason)) errors.push(notSupported(`${at}.reason`, reason, reasons));
  for (const [name, text] of Object.entries({ rule: rule.rule, messageExpression })) {
    const compiled = text ? compileRule(text) : undefined;
    if (!compiled || 'rule' in compiled || !compiled.supported) continue;
    errors.push(
      invalid(`${at}.${name}`, name === 'rule' ? rule : text, `compilation failed: ERROR: ${compiled.problem}`),
    );
  }
  return errors;
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

const anyKind = { group: 'validation', version: 'v1', kind: 'Validation' };

/** A default must itself be what the schema asks for. */
function checkDefaults(schema: JsonSchema, path: string, isResource: boolean, insideMeta: boolean): FieldError[] {
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const inMeta = insideMeta && !embedded;
  const errors = schema.default === undefined ? [] : checkDefault(schema, embedded, inMeta, `${path}.default`);
  const item = itemOf(schema);
  if (item) errors.push(...checkDefaults(item, `${path}.items`, false, inMeta));
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const toMeta = (isResource || embedded) && metaFields.includes(name);
    errors.push(...checkDefaults(property, `${path}.properties[${name}]`, false, inMeta || toMeta));
  }
  return errors;
}

function checkDefault(schema: JsonSchema, embedded: boolean, insideMeta: boolean, path: string): FieldError[] {
  const value = schema.default;
  const errors: FieldError[] = [];
  if (!insideMeta) {
    const wrapped: JsonSchema = { type: 'object', properties: { value: schema } };
    const pruned = prune({ value }, wrapped) as { value: unknown };
    if (!deepEqual(pruned.value, value)) errors.push(invalid(path, value, 'must not have unknown fields'));
  }
  if (embedded && isRecord(value) && value['metadata'] !== undefined) {
    try {
      decodeMetadata(anyKind, value['metadata'], 'metadata');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return [...errors, invalid(path, value, `must result in valid metadata: ${why}`)];
    }
  }
  const filled = structuredClone(value);
  applyDefaults(filled, schema);
  return [...errors, ...validateValue(filled, schema, path)];
}
