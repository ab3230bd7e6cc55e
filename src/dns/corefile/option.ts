/** What the options of plugins look like: how often they may stand, what may stand behind them, numbers and times. Pure. */
import { CorefileError } from './corefile-error.ts';
import type { Directive } from './directive.ts';

/** @throws CorefileError with the place of the directive */
export function refuse({ place, name }: Directive, reason: string): never {
  throw new CorefileError(place, `${name}: ${reason}`);
}

/** `least` to `most` arguments. @throws CorefileError that says what they would be, as `a zone and an address` */
export function expectArgs(directive: Directive, least: number, most: number, what: string): readonly string[] {
  const { args } = directive;
  if (args.length < least || args.length > most) {
    refuse(directive, args.length === 0 ? `expected ${what}` : `expected ${what}, found "${args.join(' ')}"`);
  }
  return args;
}

/** The one directive of a plugin that may stand once in a block. @throws CorefileError at the second */
export function expectOnce([directive, second]: readonly Directive[]): Directive {
  if (!directive) throw new Error('a plugin is set up without a directive');
  if (second) refuse(second, 'may stand once in a server block');
  return directive;
}

/** @throws CorefileError where there is a `{ }` */
export function expectNoBody(directive: Directive): void {
  if (directive.body) refuse(directive, 'takes no block');
}

/**
 * Hands each line of the block to the reader of its name.
 * @throws CorefileError for a name without a reader, with the list of those that there are
 */
export function readOptions(
  directive: Directive,
  readers: Readonly<Record<string, (option: Directive) => void>>,
): void {
  for (const option of directive.body ?? []) {
    const read = Object.hasOwn(readers, option.name) ? readers[option.name] : undefined;
    if (!read) {
      const known = Object.keys(readers).join(', ');
      throw new CorefileError(
        option.place,
        `${directive.name}: unknown option "${option.name}", ${known === '' ? 'there are none' : `there are ${known}`}`,
      );
    }
    read(option);
  }
}

/** A whole number from `least` to `most`. @throws CorefileError */
export function expectNumber(directive: Directive, text: string | undefined, least: number, most: number): number {
  const value = Number(text);
  if (text === undefined || !/^-?\d{1,15}$/.test(text) || value < least || value > most) {
    refuse(directive, `expected a whole number from ${String(least)} to ${String(most)}, found "${text ?? ''}"`);
  }
  return value;
}

/** Milliseconds of `5s`, `1m30s`, `100ms`. @throws CorefileError */
export function expectDuration(directive: Directive, text: string | undefined): number {
  const ms = text === undefined ? undefined : parseDuration(text);
  if (ms === undefined) refuse(directive, `expected a time such as 5s, 1m30s or 100ms, found "${text ?? ''}"`);
  return ms;
}

const UNITS = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Go's durations, in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', body = ''] = /^([-+]?)(.*)$/.exec(text) ?? [];
  if (body === '0') return 0;
  const parts = [...body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== body) return undefined;
  const sum = parts.reduce((ms, [, digits = '', unit = '']) => ms + Number(digits) * (UNITS.get(unit) ?? 0), 0);
  return Number.isFinite(sum) ? (sign === '-' ? -sum : sum) : undefined;
}
