/** How a rule of `rewrite` finds a name, and what it makes of it. Pure. */
import type { RE2JS } from 're2js';
import type { Directive } from '../../corefile/directive.ts';
import { expectExpression } from '../../corefile/expression.ts';
import { refuse } from '../../corefile/option.ts';

export const MATCHES = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
export type Match = (typeof MATCHES)[number];

export const isMatch = (text: string | undefined): text is Match =>
  MATCHES.some((match) => match === text?.toLowerCase());

/** @param name lower case, with the final dot. Undefined: not such a name. */
export type NamePattern = (name: string) => boolean;
/** Undefined: not such a name; otherwise the new one with the final dot, in the case it was written. */
export type NameRewriter = (name: string) => string | undefined;

const dotted = (text: string): string => (text.endsWith('.') ? text : `${text}.`);

/** @throws CorefileError */
export function namePattern(directive: Directive, match: Match, from: string): NamePattern {
  const lower = from.toLowerCase();
  switch (match) {
    case 'exact':
      return (name) => name === dotted(lower);
    case 'prefix':
      return (name) => name.startsWith(lower);
    case 'suffix':
      return (name) => name.endsWith(dotted(lower));
    case 'substring':
      return (name) => name.includes(lower);
    case 'regex': {
      const expression = expectExpression(directive, from);
      return (name) => expression.test(name);
    }
  }
}

/** @throws CorefileError */
export function nameRewriter(directive: Directive, match: Match, from: string, to: string): NameRewriter {
  if (match === 'regex') return regexRewriter(directive, from, to);
  const matches = namePattern(directive, match, from);
  const lower = match === 'exact' || match === 'suffix' ? dotted(from.toLowerCase()) : from.toLowerCase();
  const made = (name: string): string => {
    if (match === 'exact') return to;
    if (match === 'prefix') return to + name.slice(lower.length);
    if (match === 'suffix') return name.slice(0, -lower.length) + to;
    return name.replaceAll(lower, () => to);
  };
  return (name) => (matches(name) ? dotted(made(name)) : undefined);
}

/** `{1}` is what the first group found; the whole name becomes what is written. @throws CorefileError for a group that is not there */
export function regexRewriter(directive: Directive, from: string, to: string): NameRewriter {
  const expression: RE2JS = expectExpression(directive, from);
  const groups = expression.matcher('').groupCount();
  const asked = [...to.matchAll(/\{(\d+)\}/g)].map(([, digits]) => Number(digits));
  const missing = asked.find((group) => group > groups);
  if (missing !== undefined)
    refuse(directive, `{${String(missing)}} is not a group of "${from}", it has ${String(groups)}`);
  return (name) => {
    const matcher = expression.matcher(name);
    if (!matcher.find()) return undefined;
    return dotted(to.replaceAll(/\{(\d+)\}/g, (_, digits: string) => matcher.group(Number(digits)) ?? ''));
  };
}
