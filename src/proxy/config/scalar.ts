/** Single values of fields and flags. Knows no YAML: the command line is read with this alone. */
import type { Scalar, Shape } from './configuration.ts';
import { parseDuration } from './duration.ts';

/** What a value must be, for people. */
export const SCALAR_WORDS: Readonly<Record<Scalar, string>> = {
  string: 'a text',
  boolean: 'true or false',
  int: 'a whole number',
  float: 'a number',
  duration: 'a duration such as 30s, 15m or 1h0m0s',
};

/** undefined where `value` is no such thing. */
export function decodeScalar(value: unknown, shape: Scalar): unknown {
  switch (shape) {
    case 'string':
    case 'boolean':
      return typeof value === shape ? value : undefined;
    case 'int':
      return Number.isSafeInteger(value) ? value : undefined;
    case 'float':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'duration':
      return typeof value === 'string' ? parseDuration(value) : undefined;
  }
}

/** The text of a flag -> its value; undefined where it is none. `true` is a flag without a value. */
export function decodeFlag(
  value: string | true,
  shape: Shape,
): { readonly value: unknown } | { readonly must: string } {
  if (typeof shape === 'object' || shape === 'anything') return { must: 'be in a file' };
  if (value === true) return shape === 'boolean' ? { value: true } : { must: 'have a value' };
  const list = value.split(',').map((one) => one.trim());
  if (shape === 'strings') return { value: list.filter((one) => one !== '') };
  if (shape === 'switches') {
    const pairs = list.filter((one) => one !== '').map((one) => one.split('='));
    if (!pairs.every(([, state = '']) => /^(?:true|false)$/.test(state))) return { must: 'be NAME=true,NAME=false,…' };
    return { value: Object.fromEntries(pairs.map(([name = '', state]) => [name, state === 'true'])) };
  }
  const native =
    shape === 'string' || shape === 'duration' ? value : shape === 'boolean' ? switchOf(value) : valueOf(value);
  const decoded = decodeScalar(native, shape);
  return decoded === undefined ? { must: `be ${SCALAR_WORDS[shape]}` } : { value: decoded };
}

/** `true` or `false` as the command lines of Kubernetes take them; undefined for other words. */
export function switchOf(text: string): boolean | undefined {
  if (/^(?:1|t|true|T|TRUE|True)$/.test(text)) return true;
  return /^(?:0|f|false|F|FALSE|False)$/.test(text) ? false : undefined;
}

function valueOf(text: string): unknown {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}
