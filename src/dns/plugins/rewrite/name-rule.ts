/** `rewrite name [MATCH] FROM TO [answer …]`: another name is looked up than the one that was asked for. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { refuse } from '../../corefile/option.ts';
import type { Query, Reply } from '../../plugin.ts';
import { nameBytes } from '../../wire/domain-name.ts';
import { firstOf, parseAnswerRules, revertRecords, type AnswerRules } from './answer-rule.ts';
import { isMatch, nameRewriter, type Match, type NameRewriter } from './name-pattern.ts';
import type { Applied, Rule } from './rule.ts';

/** @throws CorefileError */
export function parseNameRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const hasMatch = words.length > 2 && isMatch(words[0]);
  const match = hasMatch ? (words[0]?.toLowerCase() as Match) : 'exact';
  const [from, to, ...options] = hasMatch ? words.slice(1) : words;
  if (from === undefined || to === undefined) refuse(directive, 'expected two names behind name');
  if (options.length > 0 && !hasMatch)
    refuse(directive, 'expected how to match (exact, suffix, …) where options follow');
  const answers = parseAnswerRules(directive, options);
  const rewrite = nameRewriter(directive, match, from, to);
  const back = match === 'suffix' && answers.auto ? nameRewriter(directive, 'suffix', to, from) : undefined;
  return { stops, isByQuestion: true, apply: (query) => applyName(query, rewrite, { match, answers, back }) };
}

interface Back {
  readonly match: Match;
  readonly answers: AnswerRules;
  /** Of a suffix with `answer auto`: the way back. */
  readonly back: NameRewriter | undefined;
}

function applyName(query: Query, rewrite: NameRewriter, { match, answers, back }: Back): Applied | undefined {
  const { question } = query;
  const rewritten = rewrite(question.name.toLowerCase());
  if (rewritten === undefined) return undefined;
  nameBytes(rewritten);
  const isAuto = answers.auto || match === 'exact';
  const original: NameRewriter = (name) => (name === rewritten.toLowerCase() ? question.name : undefined);
  const rewriters = [...answers.names, ...(isAuto ? [original] : []), ...(back ? [back] : [])];
  const ownName: NameRewriter = (name) => firstOf(rewriters, name);
  const revert = (reply: Reply): Reply => ({ ...reply, message: revertRecords(reply.message, ownName, answers) });
  const isReverted = rewriters.length > 0 || answers.values.length > 0;
  return { query: { ...query, question: { ...question, name: rewritten } }, ...(isReverted && { revert }) };
}
