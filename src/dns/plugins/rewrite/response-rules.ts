/** `rewrite ttl`, `rewrite rcode` and `rewrite cname`: the question stays, its answer changes. */
import type { Directive } from '../../corefile/directive.ts';
import { expectNumber, refuse } from '../../corefile/option.ts';
import type { Block, Query, Reply } from '../../plugin.ts';
import { TYPE, type Message, type Record } from '../../wire/message.ts';
import { parseRcode } from '../../wire/record-text.ts';
import { isMatch, namePattern, nameRewriter, type Match, type NameRewriter } from './name-pattern.ts';
import type { Rule } from './rule.ts';

/** How to match, and what else stands there. */
function matchOf(words: readonly string[], count: number): { match: Match; rest: readonly string[] } {
  const hasMatch = words.length > count && isMatch(words[0]);
  return hasMatch ? { match: words[0]?.toLowerCase() as Match, rest: words.slice(1) } : { match: 'exact', rest: words };
}

/** `ttl [MATCH] NAME SECONDS`, or a range: `5-10`, `5-`, `-10`. @throws CorefileError */
export function parseTtlRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const { match, rest } = matchOf(words, 2);
  const [name, range, more] = rest;
  if (name === undefined || range === undefined || more !== undefined) {
    refuse(directive, 'expected behind ttl: a name and seconds');
  }
  const matches = namePattern(directive, match, name);
  const { least, most } = parseRange(directive, range);
  const bounded = (record: Record): Record => ({ ...record, ttl: Math.min(most, Math.max(least, record.ttl)) });
  return responseRule(stops, matches, (message) => ({
    ...message,
    answers: message.answers.map(bounded),
    authorities: message.authorities.map(bounded),
    additionals: message.additionals.map(bounded),
  }));
}

const LONGEST_TTL = 0x7fff_ffff;

function parseRange(directive: Directive, text: string): { least: number; most: number } {
  const [, from, dash, to] = /^(\d*)(-?)(\d*)$/.exec(text) ?? [];
  if (from === undefined || (from === '' && to === ''))
    refuse(directive, `expected seconds, or from-to, found "${text}"`);
  const least = from === '' ? 0 : expectNumber(directive, from, 0, LONGEST_TTL);
  const open = dash === '' ? least : LONGEST_TTL;
  const most = to === '' || to === undefined ? open : expectNumber(directive, to, 0, LONGEST_TTL);
  if (least > most) refuse(directive, `${text} begins behind its end`);
  return { least, most };
}

/** `rcode [MATCH] NAME FROM TO`. @throws CorefileError */
export function parseRcodeRule(directive: Directive, words: readonly string[], stops: boolean): Rule {
  const { match, rest } = matchOf(words, 3);
  const [name, fromText = '', toText = '', more] = rest;
  const [from, to] = [parseRcode(fromText), parseRcode(toText)];
  if (name === undefined || from === undefined || to === undefined || more !== undefined) {
    refuse(directive, 'expected behind rcode: a name and two codes such as NXDOMAIN NOERROR');
  }
  const matches = namePattern(directive, match, name);
  return responseRule(stops, matches, (message) => (message.rcode === from ? { ...message, rcode: to } : message));
}

function responseRule(stops: boolean, matches: (name: string) => boolean, change: (message: Message) => Message): Rule {
  const revert = (reply: Reply): Reply => ({ ...reply, message: change(reply.message) });
  return {
    stops,
    isByQuestion: true,
    apply: (query) => (matches(query.question.name.toLowerCase()) ? { query, revert } : undefined),
  };
}

/** `cname [MATCH] FROM TO`: an alias leads to another name, which is looked up in its place. @throws CorefileError */
export function parseCnameRule(
  directive: Directive,
  words: readonly string[],
  stops: boolean,
  lookUp: Block['lookUp'],
): Rule {
  const { match, rest } = matchOf(words, 2);
  const [from, to, more] = rest;
  if (from === undefined || to === undefined || more !== undefined)
    refuse(directive, 'expected two names behind cname');
  const rewrite = nameRewriter(directive, match, from, to);
  return {
    stops,
    isByQuestion: false,
    apply: (query) => ({ query, revert: (reply) => withOtherAlias(reply, query, rewrite, lookUp) }),
  };
}

async function withOtherAlias(
  reply: Reply,
  query: Query,
  rewrite: NameRewriter,
  lookUp: Block['lookUp'],
): Promise<Reply> {
  const { answers } = reply.message;
  for (const [at, record] of answers.entries()) {
    const target = record.type === TYPE.CNAME ? rewrite(record.target.toLowerCase()) : undefined;
    if (record.type !== TYPE.CNAME || target === undefined) continue;
    const behind = await lookUp?.({ ...query.question, name: target }, query);
    const found = [...answers.slice(0, at), { ...record, target }, ...(behind?.message.answers ?? [])];
    const { holds: _, ...rest } = reply;
    return { ...rest, message: { ...reply.message, answers: found }, transient: true };
  }
  return reply;
}
