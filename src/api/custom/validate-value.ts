/**
 * Values against a schema, in the words of the validator that Kubernetes uses (`spec.replicas in body must be of type integer: "string"`).
 * Written here and not taken from a library, because the messages are half of the behaviour and the schemas a small closed subset.
 */
import { deepEqual } from '../deep-equal.ts';
import { duplicate, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { fieldBefore, itemBefore, type Before } from './before.ts';
import { hasFormat } from './formats.ts';
import { patternProblem, regularExpression } from './patterns.ts';
import { isRecord, itemOf, propertyOf, under, type JsonSchema } from './schema.ts';

/**
 * Everything that is wrong with the value; it is not changed. `path` is '' for a whole object.
 * @param before a part that is the same as it was is not looked at
 */
export function validateValue(value: unknown, schema: JsonSchema, path = '', before?: Before): FieldError[] {
  const search: Search = { left: STEPS, stoppedAt: undefined };
  const errors = validate(value, schema, path, before, search);
  // Told apart from the errors of a part, for under `not` those would be what is wanted.
  if (search.stoppedAt) errors.push(search.stoppedAt);
  return errors;
}

/** Instructions of patterns times characters of texts, for one object: about two seconds where it is worst, and far less nearly always. */
const STEPS = 100_000_000;

interface Search {
  left: number;
  /** The first text that would have taken more than was left. */
  stoppedAt: FieldError | undefined;
}

function validate(
  value: unknown,
  schema: JsonSchema,
  path: string,
  before: Before | undefined,
  search: Search,
): FieldError[] {
  if (before && deepEqual(value, before.value)) return [];
  const errors = checkType(value, schema, path);
  errors.push(...checkEnum(value, schema, path));
  if (value === null) return errors;
  errors.push(...checkJunctors(value, schema, path, search));
  if (typeof value === 'string') errors.push(...checkString(value, schema, path, search));
  else if (typeof value === 'number') errors.push(...checkNumber(value, schema, path));
  else if (Array.isArray(value)) errors.push(...checkList(value, schema, path, before, search));
  else if (isRecord(value)) errors.push(...checkRecord(value, schema, path, before, search));
  return errors;
}

/** The JSON type as the messages name it; a whole number is an integer. */
function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkType(value: unknown, schema: JsonSchema, path: string): FieldError[] {
  const anyOfTwo = schema['x-kubernetes-int-or-string'] === true;
  const allowed = anyOfTwo ? ['integer', 'string'] : schema.type ? [schema.type] : [];
  const given = typeOf(value);
  if (allowed.length === 0 || (value === null && schema.nullable === true)) return [];
  if (allowed.includes(given) || (given === 'integer' && allowed.includes('number'))) return [];
  return [typeInvalid(path, given, `${inBody(path)} must be of type ${allowed.join(',')}: ${JSON.stringify(given)}`)];
}

const inBody = (path: string): string => `${path} in body`;

const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'TypeInvalid',
  field,
  value,
  detail,
});

function checkEnum(value: unknown, { enum: allowed, nullable }: JsonSchema, path: string): FieldError[] {
  if (!allowed?.length || (value === null && nullable === true)) return [];
  if (allowed.some((each) => deepEqual(each, value))) return [];
  const texts = allowed.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  return [notSupported(path, value, texts)];
}

function checkString(value: string, schema: JsonSchema, path: string, search: Search): FieldError[] {
  const { maxLength, minLength, pattern, format } = schema;
  const errors: FieldError[] = [];
  // Characters, not the halves of them that JavaScript counts.
  const length = maxLength === undefined && minLength === undefined ? 0 : [...value].length;
  if (maxLength !== undefined && length > maxLength) {
    errors.push({ type: 'TooLong', field: path, detail: `may not be more than ${String(maxLength)} bytes` });
  }
  if (minLength !== undefined && length < minLength) {
    errors.push(invalid(path, value, `${inBody(path)} should be at least ${String(minLength)} chars long`));
  }
  if (pattern) errors.push(...checkPattern(value, pattern, path, search));
  if (format && hasFormat(format, value) === false) {
    errors.push(typeInvalid(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`));
  }
  return errors;
}

function checkPattern(value: string, pattern: string, path: string, search: Search): FieldError[] {
  const expression = regularExpression(pattern);
  if (!expression) {
    const problem = `${pattern}, but pattern is invalid: ${patternProblem(pattern) ?? ''}`;
    return [invalid(path, value, `${inBody(path)} should match '${problem}'`)];
  }
  search.left -= expression.programSize() * value.length;
  if (search.left < 0) {
    search.stoppedAt ??= invalid(path, 'string', `${inBody(path)} would take too long to be matched with '${pattern}'`);
    return [];
  }
  return expression.test(value) ? [] : [invalid(path, value, `${inBody(path)} should match '${pattern}'`)];
}

function checkNumber(value: number, schema: JsonSchema, path: string): FieldError[] {
  const { maximum, minimum, exclusiveMaximum, exclusiveMinimum, multipleOf, format } = schema;
  const errors: FieldError[] = [];
  const wrong = (what: string) => errors.push(invalid(path, value, `${inBody(path)} should be ${what}`));
  const bits = format === 'int32' ? 31 : format === 'int64' ? 63 : undefined;
  if (bits !== undefined && Number.isInteger(value) && (value >= 2 ** bits || value < -(2 ** bits))) {
    errors.push(invalid(path, value, `Checked value must be of type integer with format ${format ?? ''}`));
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) wrong(`a multiple of ${String(multipleOf)}`);
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    wrong(`less than ${exclusiveMaximum ? '' : 'or equal to '}${String(maximum)}`);
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    wrong(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${String(minimum)}`);
  }
  return errors;
}

function isMultiple(value: number, of: number): boolean {
  if (of <= 0) return true;
  const times = value / of;
  return Math.abs(times - Math.round(times)) <= Number.EPSILON * Math.abs(times);
}

const tooMany = (field: string, actual: number, most: number): FieldError => ({
  type: 'TooMany',
  field,
  value: actual,
  detail: `must have at most ${String(most)} item${most === 1 ? '' : 's'}`,
});

function checkList(
  value: readonly unknown[],
  schema: JsonSchema,
  path: string,
  before: Before,
  search: Search,
): FieldError[] {
  const { maxItems, minItems } = schema;
  const errors: FieldError[] = [];
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems) {
    errors.push(invalid(path, value.length, `${inBody(path)} should have at least ${String(minItems)} items`));
  }
  const item = itemOf(schema);
  if (item) {
    for (const [index, each] of value.entries()) {
      errors.push(...validate(each, item, `${path}[${String(index)}]`, itemBefore(each, schema, before), search));
    }
  }
  return [...errors, ...checkUniqueness(value, schema, path)];
}

/** Lists that are sets or maps have no item, or no key, twice. */
function checkUniqueness(value: readonly unknown[], schema: JsonSchema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'set' && listType !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const identity = (each: unknown): unknown =>
    listType === 'set' || !isRecord(each)
      ? each
      : Object.fromEntries(keys.filter((key) => Object.hasOwn(each, key)).map((key) => [key, each[key]]));
  const seen = new Set<string>();
  return value.flatMap((each, index) => {
    const known = identity(each);
    const text = JSON.stringify(sorted(known));
    if (seen.has(text)) return [duplicate(`${path}[${String(index)}]`, known)];
    seen.add(text);
    return [];
  });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)]);
}

function checkRecord(
  value: Record<string, unknown>,
  schema: JsonSchema,
  path: string,
  before: Before,
  search: Search,
): FieldError[] {
  const { maxProperties, minProperties } = schema;
  const errors: FieldError[] = [];
  const count = Object.keys(value).length;
  if (maxProperties !== undefined && count > maxProperties) errors.push(tooMany(path, count, maxProperties));
  if (minProperties !== undefined && count < minProperties) {
    errors.push(invalid(path, value, `${inBody(path)} should have at least ${String(minProperties)} properties`));
  }
  for (const key of schema.required ?? []) if (!Object.hasOwn(value, key)) errors.push(required(under(path, key)));
  for (const [key, field] of Object.entries(value)) {
    const inner = propertyOf(schema, key);
    if (inner) errors.push(...validate(field, inner, under(path, key), fieldBefore(key, before), search));
  }
  return errors;
}

/** These have no field of their own in the message: it names the path itself. */
function checkJunctors(
  value: unknown,
  { allOf, anyOf, oneOf, not }: JsonSchema,
  path: string,
  search: Search,
): FieldError[] {
  const fits = (schema: JsonSchema): boolean => validate(value, schema, path, undefined, search).length === 0;
  const errors: FieldError[] = [];
  const wrong = (what: string) => errors.push(invalid('<nil>', '', `${JSON.stringify(path)} must ${what}`));
  if (anyOf?.length && !anyOf.some(fits)) {
    wrong('validate at least one schema (anyOf)');
    errors.push(...closest(value, anyOf, path, search));
  }
  if (oneOf?.length) {
    const fitting = oneOf.filter(fits).length;
    if (fitting === 0) {
      wrong('validate one and only one schema (oneOf). Found none valid');
      errors.push(...closest(value, oneOf, path, search));
    } else if (fitting > 1) {
      wrong(`validate one and only one schema (oneOf). Found ${String(fitting)} valid alternatives`);
    }
  }
  const missed = (allOf ?? []).filter((schema) => !fits(schema));
  for (const schema of missed) errors.push(...validate(value, schema, path, undefined, search));
  if (missed.length > 0) {
    wrong(`validate all the schemas (allOf)${missed.length === allOf?.length ? '. None validated' : ''}`);
  }
  if (not && fits(not)) wrong('not validate the schema (not)');
  return errors;
}

/** What is wrong with the alternative that comes nearest. */
function closest(value: unknown, schemas: readonly JsonSchema[], path: string, search: Search): FieldError[] {
  const all = schemas.map((schema) => validate(value, schema, path, undefined, search));
  return all.reduce((best, each) => (each.length < best.length ? each : best), all[0] ?? []);
}
