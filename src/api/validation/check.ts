/** Small checks every kind needs, each answering in Kubernetes' words. */
import { invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { labelValue, portName, portNumber, qualifiedName } from '../names.ts';
import type { Meta } from '../types.ts';
import { validateLabels } from '../meta.ts';
import { deepEqual } from '../deep-equal.ts';

export const notNegative = (path: string, value: number | undefined): FieldError[] =>
  value !== undefined && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : [];

/** Runs a text rule when there is text. */
export const follows = (rule: (text: string) => string[], path: string, text: string | undefined): FieldError[] =>
  text ? rule(text).map((problem) => invalid(path, text, problem)) : [];

/** The text must be there and follow the rule. */
export const mustFollow = (rule: (text: string) => string[], path: string, text: string | undefined): FieldError[] =>
  text ? follows(rule, path, text) : [required(path)];

export const mustExist = (path: string, value: unknown): FieldError[] =>
  value === undefined || value === '' ? [required(path)] : [];

/** Absent is fine. */
export const oneOf = (path: string, value: string | undefined, allowed: readonly string[]): FieldError[] =>
  value === undefined || allowed.includes(value) ? [] : [notSupported(path, value, allowed)];

export const requiredOneOf = (path: string, value: string | undefined, allowed: readonly string[]): FieldError[] =>
  value ? oneOf(path, value, allowed) : [required(path)];

export function portNumberOrName(path: string, port: number | string | undefined): FieldError[] {
  const value = port ?? 0;
  const problems = typeof value === 'number' ? portNumber(value) : portName(value);
  return problems.map((problem) => invalid(path, value, problem));
}

export const unchanged = (path: string, value: unknown, old: unknown): FieldError[] =>
  deepEqual(value ?? null, old ?? null) ? [] : [invalid(path, value, 'field is immutable')];

/** metav1.LabelSelector. */
export function validateLabelSelector(selector: Meta.LabelSelector | undefined, path: string): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, `${path}.matchLabels`);
  for (const [index, { key, operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const count = (values ?? []).length;
    if (operator === 'In' || operator === 'NotIn') {
      if (count === 0) {
        errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (count > 0) {
        const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push({ type: 'Forbidden', field: `${at}.values`, detail });
      }
    } else errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
    errors.push(...qualifiedName(key).map((problem) => invalid(`${at}.key`, key, problem)));
    for (const [at2, value] of (values ?? []).entries()) {
      errors.push(...labelValue(value).map((problem) => invalid(`${at}.values[${at2}]`, value, problem)));
    }
  }
  return errors;
}
