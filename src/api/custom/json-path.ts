/**
 * The part of kubectl's JSONPath that printer columns use: fields, indices, slices of all, and filters by one comparison
 * (`.status.conditions[?(@.type=="Ready")].status`). Scale and selectable fields take fields alone.
 */
import { isRecord } from './schema.ts';

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly path: readonly Step[]; readonly operator: string; readonly value: unknown };

export type JsonPath = readonly Step[];

const patterns = {
  field: /^\.((?:[\w-]|\\.)+)/,
  wildcard: /^(?:\.\*|\[\*\])/,
  quoted: /^\[(?:'([^']*)'|"([^"]*)")\]/,
  index: /^\[(-?\d+)\]/,
  filter: /^\[\?\(\s*@([^=!<>\s]*)\s*(==|!=|<=|>=|<|>)?\s*((?:"[^"]*"|'[^']*'|[\w.-]+)?)\s*\)\]/,
};

/** Undefined: not a path this understands. */
export function parseJsonPath(text: string): JsonPath | undefined {
  let rest = text.trim();
  if (rest === '.') return [];
  const steps: Step[] = [];
  while (rest !== '') {
    const [step, length] = nextStep(rest) ?? [];
    if (step === undefined || length === undefined) return undefined;
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function nextStep(text: string): [Step, number] | undefined {
  let match = patterns.wildcard.exec(text);
  if (match) return [{ type: 'all' }, match[0].length];
  match = patterns.field.exec(text);
  if (match) return [{ type: 'field', name: (match[1] ?? '').replace(/\\(.)/g, '$1') }, match[0].length];
  match = patterns.quoted.exec(text);
  if (match) return [{ type: 'field', name: match[1] ?? match[2] ?? '' }, match[0].length];
  match = patterns.index.exec(text);
  if (match) return [{ type: 'index', index: Number(match[1]) }, match[0].length];
  match = patterns.filter.exec(text);
  const path = match && parseJsonPath(match[1] ?? '');
  if (!match || !path) return undefined;
  return [{ type: 'filter', path, operator: match[2] ?? '', value: literal(match[3] ?? '') }, match[0].length];
}

function literal(text: string): unknown {
  if (/^["']/.test(text)) return text.slice(1, -1);
  if (text === 'true' || text === 'false') return text === 'true';
  return text === '' || Number.isNaN(Number(text)) ? text : Number(text);
}

/** Every value the path leads to. */
export function findAll(value: unknown, path: JsonPath): unknown[] {
  let found: unknown[] = [value];
  for (const step of path) found = found.flatMap((each) => follow(each, step));
  return found;
}

function follow(value: unknown, step: Step): unknown[] {
  switch (step.type) {
    case 'field':
      return isRecord(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'index': {
      const item: unknown = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'all':
      return Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];
    case 'filter':
      return Array.isArray(value) ? value.filter((each) => passes(each, step)) : [];
  }
}

function passes(item: unknown, { path, operator, value }: Extract<Step, { type: 'filter' }>): boolean {
  const [given] = findAll(item, path);
  if (given === undefined) return false;
  if (operator === '') return true;
  const [left, right] = typeof given === typeof value ? [given, value] : [String(given), String(value)];
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    default:
      return compare(left as string | number, operator, right as string | number);
  }
}

function compare(left: string | number, operator: string, right: string | number): boolean {
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

/** The fields of a path that has nothing else: `.spec.replicas` -> spec, replicas. Undefined for every other path. */
export function fieldsOf(text: string): string[] | undefined {
  const path = text.startsWith('.') ? parseJsonPath(text) : undefined;
  const names = path?.flatMap((step) => (step.type === 'field' ? [step.name] : []));
  return names && names.length === path?.length && names.length > 0 ? names : undefined;
}

export function valueAt(value: unknown, fields: readonly string[]): unknown {
  let found = value;
  for (const name of fields) found = isRecord(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return found;
}

/** Changes `object` in place; makes what is missing on the way. */
export function setAt(object: Record<string, unknown>, fields: readonly string[], value: unknown): void {
  const [name = '', ...rest] = fields;
  if (rest.length === 0) {
    object[name] = value;
    return;
  }
  const inner = object[name];
  const next = isRecord(inner) ? inner : {};
  object[name] = next;
  setAt(next, rest, value);
}
