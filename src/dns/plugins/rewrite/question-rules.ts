/** `rewrite type` and `rewrite class`: something else of the name is looked up. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { refuse } from '../../corefile/option.ts';
import { parseClass, parseType } from '../../wire/record-text.ts';
import type { Rule } from './rule.ts';

/** `type FROM TO`. @throws CorefileError */
export function parseTypeRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const [from, to] = twoOf(directive, words, parseType, 'types of records such as ANY HINFO');
  return {
    stops,
    isByQuestion: true,
    apply: (query) =>
      query.question.type === from ? { query: { ...query, question: { ...query.question, type: to } } } : undefined,
  };
}

/** `class FROM TO`. @throws CorefileError */
export function parseClassRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const [from, to] = twoOf(directive, words, parseClass, 'classes such as CH IN');
  return {
    stops,
    isByQuestion: true,
    apply: (query) =>
      query.question.class === from ? { query: { ...query, question: { ...query.question, class: to } } } : undefined,
  };
}

type Parse = (text: string) => number | undefined;

function twoOf(directive: Directive, words: readonly string[], parse: Parse, what: string): [number, number] {
  const [from, to] = words.map(parse);
  if (words.length !== 2 || from === undefined || to === undefined) {
    refuse(directive, `expected two ${what}, found "${words.join(' ')}"`);
  }
  return [from, to];
}
