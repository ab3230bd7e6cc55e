/** Random objects by the published types, for fast-check: right in their types, and otherwise as right as chance has it. */
import fc from 'fast-check';
import { structOf } from '../../src/api/schema/load.ts';

const plain: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: fc.constantFrom(
    'a',
    'web',
    'TCP',
    'Always',
    'IPv4',
    '10.0.0.1',
    'example.com',
    '/a',
    '50%',
    'Exists',
    'None',
    '',
  ),
  boolean: fc.boolean(),
  int32: fc.constantFrom(1, 80, 0, 2, -1, 70_000),
  int64: fc.constantFrom(1, 30, 0, -1),
  double: fc.constantFrom(1, 0.5),
  byte: fc.constantFrom('YQ==', ''),
  time: fc.constant('2026-11-20T12:00:00Z'),
  microtime: fc.constant('2026-11-20T12:00:00.000001Z'),
  intOrString: fc.constantFrom<unknown>(80, 'http', '50%', 0),
  quantity: fc.constantFrom('1', '100m', '1Gi'),
  any: fc.constant({ a: 1 }),
};
const keys = fc.constantFrom('a', 'app', 'cpu', 'example.com/x');
/** Fields of one struct that are chosen at most, and how deep structs go. */
const WIDTH = 4;
const DEPTH = 7;

function randomValue(type: string, depth: number): fc.Arbitrary<unknown> {
  const bare = type.replace(/^\?/, '');
  if (bare.startsWith('[]')) return fc.array(randomValue(bare.slice(2), depth + 1), { minLength: 1, maxLength: 2 });
  if (bare.startsWith('{}')) return fc.dictionary(keys, randomValue(bare.slice(2), depth + 1), { maxKeys: 2 });
  if (bare.startsWith('#')) return randomStruct(bare.slice(1), depth + 1);
  return plain[bare] ?? fc.constant({});
}

/** @param skipped fields that are left out everywhere */
export function randomStruct(definition: string, depth = 0, skipped: readonly string[] = []): fc.Arbitrary<object> {
  if (depth > DEPTH) return fc.constant({});
  const fields = Object.entries(structOf(definition).fields).filter(([field]) => !skipped.includes(field));
  return fc
    .subarray(fields, {
      minLength: Math.min(depth < 3 ? 2 : 1, fields.length),
      maxLength: Math.min(WIDTH, fields.length),
    })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map(([field, type]) => [field, randomValue(type, depth)]))));
}

type Path = readonly (string | number)[];

/** `spec.ports[0].name`, `metadata.labels[a/b]` as steps. */
export function stepsOf(field: string): Path {
  return [...field.matchAll(/([^.[\]]+)|\[([^\]]*)\]/g)].map(
    ([, name, index]) => name ?? (/^\d+$/.test(index ?? '') ? Number(index) : (index ?? '')),
  );
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown> | undefined)?.[step], value);

/**
 * Puts back what `good` has at the field, or takes it away where `good` has nothing; where the two agree already, one level further up.
 * `object` is changed. False: it is as `good` as can be.
 */
export function restore(object: object, good: object, field: string): boolean {
  for (let path = stepsOf(field); path.length > 0; path = path.slice(0, -1)) {
    const [present, wanted] = [at(object, path), at(good, path)];
    if (JSON.stringify(present) === JSON.stringify(wanted)) continue;
    const parent = at(object, path.slice(0, -1));
    if (typeof parent !== 'object' || parent === null) continue;
    const last = path.at(-1) ?? '';
    if (wanted !== undefined) (parent as Record<string | number, unknown>)[last] = structuredClone(wanted);
    else if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else Reflect.deleteProperty(parent, last);
    return true;
  }
  return false;
}

/** `extra` laid over `base`: structs field by field, everything else whole. */
export function overlay(base: unknown, extra: unknown): unknown {
  const isStruct = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isStruct(base) || !isStruct(extra)) return extra;
  const merged = Object.entries(extra).map(([key, value]): [string, unknown] => [
    key,
    Object.hasOwn(base, key) ? overlay(base[key], value) : value,
  ]);
  return { ...base, ...Object.fromEntries(merged) };
}
