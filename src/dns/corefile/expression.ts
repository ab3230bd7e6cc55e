/** Regular expressions of a Corefile: Go's syntax, answered in linear time, so that no name can make the server hang. */
import type { RE2JS } from 're2js';
import { patternProblem, regularExpression } from '../../api/custom/patterns.ts';
import type { Directive } from './directive.ts';
import { refuse } from './option.ts';

/** @throws CorefileError with Go's message */
export function expectExpression(directive: Directive, text: string): RE2JS {
  const expression = regularExpression(text);
  if (!expression) refuse(directive, `${patternProblem(text) ?? 'not a regular expression'}: "${text}"`);
  return expression;
}
