/** LimitRanges: names of resources, and that minimum, defaults and maximum are in order. */
import { duplicate, forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { qualifiedName } from '../names.ts';
import { compareQuantities, parseQuantity } from '../quantity.ts';
import type { Core, LimitRange } from '../types.ts';
import { validateContainerResourceName, validateResourceName } from './resource-names.ts';

const TYPES = ['Pod', 'Container', 'PersistentVolumeClaim'];
const LISTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

export function validateLimitRange({ spec }: LimitRange): FieldError[] {
  const seen = new Set<string>();
  return ((spec?.limits as Core.LimitRangeItem[] | undefined) ?? []).flatMap((item, index) => {
    const path = `spec.limits[${index}]`;
    const errors = [...validateType(item, path, seen), ...validateLists(item, path)];
    const names = new Set(LISTS.slice(0, 4).flatMap((list) => Object.keys(item[list] ?? {})));
    return [
      ...errors,
      ...[...names].sort().flatMap((name) => compare(item, name, path)),
      ...validateRatios(item, path),
    ];
  });
}

function validateType({ type }: Core.LimitRangeItem, path: string, seen: Set<string>): FieldError[] {
  const errors = qualifiedName(type).map((problem) => invalid(`${path}.type`, type, problem));
  if (errors.length === 0 && !type.includes('/') && !TYPES.includes(type)) {
    errors.push(invalid(`${path}.type`, type, 'must be a standard limit type or fully qualified'));
  }
  if (seen.has(type)) errors.push(duplicate(`${path}.type`, type));
  seen.add(type);
  return errors;
}

function validateLists(item: Core.LimitRangeItem, path: string): FieldError[] {
  const forContainers = item.type === 'Pod' || item.type === 'Container';
  const rule = forContainers ? validateContainerResourceName : validateResourceName;
  const errors: FieldError[] = [];
  for (const list of LISTS) {
    const names = Object.keys(item[list] ?? {});
    if (item.type === 'Pod' && (list === 'default' || list === 'defaultRequest')) {
      if (names.length > 0) errors.push(forbidden(`${path}.${list}`, "may not be specified when `type` is 'Pod'"));
    } else for (const name of names) errors.push(...rule(name, `${path}.${list}[${name}]`));
  }
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const why = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(required(`${path}.limits`, why));
  }
  return errors;
}

/** Which value may not be greater than which, under whose name the complaint stands, and what they are called. */
const ORDER = [
  ['min', 'max', 'min', 'min value', 'max value'],
  ['min', 'defaultRequest', 'defaultRequest', 'min value', 'default request value'],
  ['defaultRequest', 'max', 'defaultRequest', 'default request value', 'max value'],
  ['defaultRequest', 'default', 'defaultRequest', 'default request value', 'default limit value'],
  ['min', 'default', 'default', 'min value', 'default value'],
  ['default', 'max', 'default', 'default value', 'max value'],
] as const;

function compare(item: Core.LimitRangeItem, name: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [low, high, where, lowText, highText] of ORDER) {
    const [smaller, greater] = [item[low]?.[name], item[high]?.[name]];
    if (smaller === undefined || greater === undefined || compareQuantities(smaller, greater) <= 0) continue;
    const why = `${lowText} ${smaller} is greater than ${highText} ${greater}`;
    errors.push(invalid(`${path}.${where}[${name}]`, item[where]?.[name], why));
  }
  return errors;
}

function validateRatios({ min, max, maxLimitRequestRatio }: Core.LimitRangeItem, path: string): FieldError[] {
  return Object.entries(maxLimitRequestRatio ?? {}).flatMap(([name, ratio]) => {
    const at = `${path}.maxLimitRequestRatio[${name}]`;
    if (compareQuantities(ratio, '1') < 0) return [invalid(at, ratio, `ratio ${ratio} is less than 1`)];
    const [low, high] = [number(min?.[name]), number(max?.[name])];
    if (!low || high === undefined || (number(ratio) ?? 0) <= high / low) return [];
    return [invalid(at, ratio, `ratio ${ratio} is greater than max/min = ${(high / low).toFixed(6)}`)];
  });
}

function number(text: string | undefined): number | undefined {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity && Number(quantity.nanos) / 1e9;
}
