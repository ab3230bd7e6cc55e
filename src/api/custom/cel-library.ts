/** The functions that Kubernetes adds to CEL, beside those every CEL has. What is not here makes a rule one that is not enforced. */
import type { Environment } from '@marcbachmann/cel-js';
import { spend } from './cel-budget.ts';
import { costOfMatch, expression } from './cel-prices.ts';
import { registerTypes } from './cel-types.ts';

type List = readonly unknown[];
type Ordered = bigint | number | string;

function extreme(list: List, isBetter: (a: Ordered, b: Ordered) => boolean, name: string): unknown {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return (list as Ordered[]).reduce((best, each) => (isBetter(each, best) ? each : best));
}

const same = (a: unknown, b: unknown): boolean => a === b;
const has = (list: List, item: unknown): boolean => list.some((each) => same(each, item));
const indexOf = (list: List, item: unknown): bigint => BigInt(list.findIndex((each) => same(each, item)));

/** Go counts characters as code points. */
function charAt(text: string, at: bigint): string {
  const characters = [...text];
  if (at < 0n || at > BigInt(characters.length)) throw new Error(`index out of range: ${String(at)}`);
  return characters[Number(at)] ?? '';
}

function replace(text: string, from: string, to: string, most = -1n): string {
  if (most < 0n) return text.replaceAll(from, () => to);
  const parts = text.split(from);
  const count = Math.min(Number(most), parts.length - 1);
  return (
    parts.slice(0, count + 1).join(to) +
    parts
      .slice(count + 1)
      .map((part) => from + part)
      .join('')
  );
}

/** Each search may go through all that is left of the text before it comes back to what is near. */
function findAll(text: string, pattern: string): string[] {
  const matcher = expression(pattern).matcher(text);
  const found: string[] = [];
  // As in Go, nothing is found right behind what was found.
  for (let end = -1; matcher.find(); end = matcher.end()) {
    const each = matcher.group() ?? '';
    if (each !== '' || matcher.start() !== end) found.push(each);
    spend(costOfMatch(text.slice(matcher.end()), pattern));
  }
  return found;
}

export function registerLibrary(environment: Environment): void {
  environment
    .registerFunction('list.isSorted(): bool', (list: List) =>
      list.every((each, at) => at === 0 || (list[at - 1] as Ordered) <= (each as Ordered)),
    )
    .registerFunction('list.sum(): dyn', (list: List) =>
      (list as (bigint | number)[]).reduce<bigint | number>(
        (sum, each) => (typeof each === 'bigint' ? BigInt(sum) + each : Number(sum) + each),
        0n,
      ),
    )
    .registerFunction('list.min(): dyn', (list: List) => extreme(list, (a, b) => a < b, 'min'))
    .registerFunction('list.max(): dyn', (list: List) => extreme(list, (a, b) => a > b, 'max'))
    .registerFunction('list.indexOf(dyn): int', indexOf)
    .registerFunction('list.lastIndexOf(dyn): int', (list: List, item: unknown) =>
      BigInt(list.findLastIndex((each) => same(each, item))),
    )
    .registerFunction('string.charAt(int): string', charAt)
    .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
      replace(text, from, to),
    )
    .registerFunction('string.replace(string, string, int): string', replace)
    .registerFunction('string.find(string): string', (text: string, pattern: string) => {
      const matcher = expression(pattern).matcher(text);
      return matcher.find() ? (matcher.group() ?? '') : '';
    })
    .registerFunction('string.findAll(string): list', findAll);
  registerTypes(environment);
  registerNamespaces(environment);
}

/** `sets.contains(a, b)`, `math.greatest(a, b)`: functions whose names have a dot. */
function registerNamespaces(environment: Environment): void {
  class Sets {
    readonly namespace = 'sets';
  }
  class MathFunctions {
    readonly namespace = 'math';
  }
  environment
    .registerType('SetsNamespace', Sets)
    .registerConstant('sets', 'SetsNamespace', new Sets())
    .registerFunction('SetsNamespace.contains(list, list): bool', (_: unknown, list: List, sub: List) =>
      sub.every((each) => has(list, each)),
    )
    .registerFunction('SetsNamespace.intersects(list, list): bool', (_: unknown, a: List, b: List) =>
      a.some((each) => has(b, each)),
    )
    .registerFunction(
      'SetsNamespace.equivalent(list, list): bool',
      (_: unknown, a: List, b: List) => a.every((each) => has(b, each)) && b.every((each) => has(a, each)),
    )
    .registerType('MathNamespace', MathFunctions)
    .registerConstant('math', 'MathNamespace', new MathFunctions())
    .registerFunction('MathNamespace.greatest(dyn, dyn): dyn', (_: unknown, a: Ordered, b: Ordered) => (a >= b ? a : b))
    .registerFunction('MathNamespace.least(dyn, dyn): dyn', (_: unknown, a: Ordered, b: Ordered) => (a <= b ? a : b));
}
