/** What functions and operators of CEL cost for the values they are given; where that can be told only by going through them, no more than is left. */
import { remaining, spend } from './cel-budget.ts';
import { patternProblem, regularExpression, toCompile } from './patterns.ts';

/** @throws Error with Go's message */
export function expression(pattern: string): NonNullable<ReturnType<typeof regularExpression>> {
  const made = regularExpression(pattern);
  if (!made) throw new Error(patternProblem(pattern));
  return made;
}

const lengthOf = (value: unknown): number =>
  typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array ? value.length : 0;

/** Characters and bytes; the number of items is dear for some functions only. */
const bulkOf = (value: unknown): number => (Array.isArray(value) ? 0 : lengthOf(value) / 10);

export function costOfCall(name: string, values: readonly unknown[]): number {
  const [first, second, third] = values;
  const bulk = values.reduce<number>((sum, each) => sum + bulkOf(each), 0);
  switch (name) {
    case 'matches':
    case 'find':
    case 'findAll':
      return typeof first === 'string' && typeof second === 'string' ? costOfMatch(first, second) : bulk;
    case 'contains':
    case 'indexOf':
    case 'lastIndexOf':
      if (Array.isArray(first)) return first.length + bulk;
      // `sets.contains`: the namespace comes first.
      return Array.isArray(second) ? second.length * lengthOf(third) : search(first, second);
    case 'intersects':
      return lengthOf(second) * lengthOf(third);
    case 'equivalent':
      return 2 * lengthOf(second) * lengthOf(third);
    case 'split':
      return bulk + search(first, second) + (second === '' ? lengthOf(first) : 0);
    case 'replace':
      return bulk + search(first, second) + costOfReplacing(values);
    case 'join':
      return costOfJoining(first, second);
    case 'charAt':
    case 'isSorted':
    case 'sum':
    case 'min':
    case 'max':
      return lengthOf(first);
    case 'url':
    case 'isURL':
      return 10 + bulk;
    default:
      // Only the parts of a time are asked for with a zone, which is slow.
      return bulk + (name.startsWith('get') && values.length > 1 ? 500 : 0);
  }
}

/** As Kubernetes has it: the product of both, for the worst case. */
const search = (text: unknown, part: unknown): number => bulkOf(text) * Math.max(1, bulkOf(part));

/** Kubernetes' formula, but for the size that counted repetition has when it is written out; and compiling, for a pattern that is new. */
export function costOfMatch(text: string, pattern: string): number {
  spend(10 * toCompile(pattern));
  return ((1 + text.length / 10) * Math.max(pattern.length, expression(pattern).programSize())) / 4;
}

function costOfReplacing([text, from, to, most]: readonly unknown[]): number {
  if (typeof text !== 'string' || typeof from !== 'string' || typeof to !== 'string') return 0;
  const limit = typeof most === 'bigint' && most >= 0n ? Number(most) : Infinity;
  let count = from === '' ? text.length + 1 : 0;
  if (from !== '') for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + from.length)) count += 1;
  return (Math.min(count, limit) * (1 + to.length)) / 10;
}

function costOfJoining(list: unknown, separator: unknown): number {
  if (!Array.isArray(list)) return 0;
  const letters = list.reduce<number>((sum, each) => sum + bulkOf(each), 0);
  return list.length * (1 + bulkOf(separator)) + letters;
}

export function costOfOperator(op: string, left: unknown, right: unknown): number {
  switch (op) {
    case '+':
      return bulkOf(left) + bulkOf(right) + (Array.isArray(left) ? left.length + lengthOf(right) : 0);
    case 'in':
      return Array.isArray(right) ? costOfMembership(left, right) : 0;
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return costOfComparing(left, right, remaining());
    default:
      return 0;
  }
}

function costOfMembership(item: unknown, list: readonly unknown[]): number {
  if (typeof item !== 'object' || item === null) return list.length * (1 + lengthOf(item) / 1000);
  let units = 0;
  for (const each of list) {
    units += costOfComparing(item, each, remaining() - units);
    if (units > remaining()) break;
  }
  return units;
}

/** Both are gone through side by side, as far as they are of one shape; no further than `most`. */
function costOfComparing(a: unknown, b: unknown, most: number): number {
  if (typeof a !== typeof b || a === b) return 1;
  if (typeof a === 'string' || a instanceof Uint8Array) return 1 + Math.min(bulkOf(a), bulkOf(b));
  let units = 1;
  for (const [left, right] of pairs(a, b)) {
    units += costOfComparing(left, right, most - units);
    if (units > most) break;
  }
  return units;
}

function* pairs(a: unknown, b: unknown): Generator<[unknown, unknown]> {
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length === b.length) for (const [at, each] of a.entries()) yield [each, b[at]];
  } else if (a instanceof Map && b instanceof Map) {
    if (a.size === b.size) for (const [key, each] of a) yield [each, b.get(key)];
  }
}
