/** `x-kubernetes-validations`: what authors of definitions demand in CEL, checked on every write (KEP-2876). */
import { deepEqual } from '../deep-equal.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { fieldBefore, itemBefore, type Before } from './before.ts';
import { CALL_LIMIT, CostExceeded, OBJECT_LIMIT, type Budget } from './cel-budget.ts';
import { compileRule, optional, type Rule } from './cel.ts';
import { toCel } from './cel-values.ts';
import { isRecord, itemOf, propertyOf, under, type JsonSchema, type ValidationRule } from './schema.ts';

/** Whether there is a rule anywhere in the schema: asked on every write, so each schema is looked through once. */
export function hasRules(schema: JsonSchema): boolean {
  let found = known.get(schema);
  if (found === undefined) {
    const { properties = {}, additionalProperties } = schema;
    const inner = [...Object.values(properties), itemOf(schema), additionalProperties];
    found =
      (schema['x-kubernetes-validations'] ?? []).length > 0 || inner.some((each) => isRecord(each) && hasRules(each));
    known.set(schema, found);
  }
  return found;
}

const known = new WeakMap<JsonSchema, boolean>();

/** Of the value and everything in it. A part that has not changed is not asked again. */
export function validateRules(
  value: unknown,
  schema: JsonSchema,
  before: Before,
  path = '',
  budget: Budget = { left: OBJECT_LIMIT },
): FieldError[] {
  if (value === undefined || value === null || (before && deepEqual(value, before.value))) return [];
  const errors = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) =>
    check(rule, value, schema, before, path, budget),
  );
  if (Array.isArray(value)) {
    const item = itemOf(schema);
    if (!item) return errors;
    for (const [index, each] of value.entries()) {
      errors.push(...validateRules(each, item, itemBefore(each, schema, before), `${path}[${String(index)}]`, budget));
    }
  } else if (isRecord(value)) {
    for (const [key, field] of Object.entries(value)) {
      const inner = propertyOf(schema, key);
      if (inner) errors.push(...validateRules(field, inner, fieldBefore(key, before), under(path, key), budget));
    }
  }
  return errors;
}

function check(
  rule: ValidationRule,
  value: unknown,
  schema: JsonSchema,
  before: Before,
  path: string,
  budget: Budget,
): FieldError[] {
  // It has been said already.
  if (budget.left < 0) return [];
  const compiled = compileRule(rule.rule);
  // Who wrote the definition has been warned.
  if (!('rule' in compiled)) return [];
  const { usesOldSelf } = compiled.rule;
  if (usesOldSelf && !before && rule.optionalOldSelf !== true) return [];
  const type = schema.type ?? 'object';
  const old = before && toCel(before.value, schema);
  const oldSelf = rule.optionalOldSelf === true ? optional(before && { value: old }) : old;
  const given = budget.left;
  try {
    if (compiled.rule.run(toCel(value, schema), oldSelf, budget) === true) return [];
  } catch (error) {
    if (error instanceof CostExceeded) return [invalid(shown(path), type, overspent(error, given, rule))];
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return [invalid(shown(path), type, `${text} evaluating rule: ${rule.message ?? rule.rule.trim()}`)];
  }
  return [refusal(rule, type, path, detailOf(rule, value, schema, oldSelf, budget))];
}

/** Either one call took too much, or all before it have left too little. */
function overspent(error: CostExceeded, given: number, { rule, message }: ValidationRule): string {
  const end = 'no further validation rules will be run';
  if (given < CALL_LIMIT) return `validation failed due to running out of cost budget, ${end}`;
  return `'${error.message}': ${end} due to call cost exceeds limit for rule: ${message ?? rule.trim()}`;
}

function detailOf(
  { rule, message, messageExpression }: ValidationRule,
  value: unknown,
  schema: JsonSchema,
  oldSelf: unknown,
  budget: Budget,
): string {
  const fallback = message ?? `failed rule: ${rule.trim()}`;
  const compiled = messageExpression ? compileRule(messageExpression) : undefined;
  if (!compiled || !('rule' in compiled)) return fallback;
  return textOf(compiled.rule, value, schema, oldSelf, budget) ?? fallback;
}

/** Undefined where it comes to nothing that can be shown: the fixed message is used then. */
function textOf(
  expression: Rule,
  value: unknown,
  schema: JsonSchema,
  oldSelf: unknown,
  budget: Budget,
): string | undefined {
  try {
    const text = expression.run(toCel(value, schema), oldSelf, budget);
    return typeof text === 'string' && text.trim() !== '' && !/[\r\n]/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The whole object has no path, and Kubernetes says so. */
const shown = (path: string): string => (path === '' ? '<nil>' : path);

function refusal({ reason, fieldPath }: ValidationRule, type: string, path: string, detail: string): FieldError {
  const at = fieldPath ? under(path, fieldPath.replace(/^\./, '')) : shown(path);
  switch (reason) {
    case 'FieldValueRequired':
      return required(at, detail);
    case 'FieldValueForbidden':
      return forbidden(at, detail);
    case 'FieldValueDuplicate':
      return { type: 'Duplicate', field: at, value: type, detail };
    default:
      return invalid(at, type, detail);
  }
}
