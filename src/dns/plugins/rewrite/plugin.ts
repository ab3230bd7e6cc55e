/** `rewrite [continue|stop] FIELD …`: the asker does not see that something else was asked, or that the answer was another. */
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/directive.ts';
import type { Block, Handler, Plugin, Query, Reply } from '../../plugin.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { parseEdnsRule } from './edns-rule.ts';
import { parseNameRule } from './name-rule.ts';
import { parseClassRule, parseTypeRule } from './question-rules.ts';
import { parseCnameRule, parseRcodeRule, parseTtlRule } from './response-rules.ts';
import type { Revert, Rule } from './rule.ts';

export const rewritePlugin: Plugin = {
  name: 'rewrite',
  setup(directives, block) {
    const rules = directives.map((directive) => parseRule(directive, block));
    return {
      transparent: rules.every(({ isByQuestion }) => isByQuestion),
      anyClass: directives.some(({ args }) => args.includes('class')),
      wrap: (next) => rewriting(rules, next),
    };
  },
};

const FIELDS = 'name, type, class, edns0, ttl, cname, rcode';

/** The lines of a block are read as if they were one. @throws CorefileError */
export function parseRule(directive: Directive, { lookUp }: Pick<Block, 'lookUp'>): Rule {
  const lines = (directive.body ?? []).flatMap(({ name, args }) => [name, ...args]);
  const all = [...directive.args, ...lines];
  const hasMode = all[0] === 'continue' || all[0] === 'stop';
  const stops = all[0] !== 'continue';
  const [field = '', ...words] = hasMode ? all.slice(1) : all;
  switch (field.toLowerCase()) {
    case 'name':
      return parseNameRule(directive, words, stops);
    case 'type':
      return parseTypeRule(directive, words, stops);
    case 'class':
      return parseClassRule(directive, words, stops);
    case 'edns0':
      return parseEdnsRule(directive, words, stops);
    case 'ttl':
      return parseTtlRule(directive, words, stops);
    case 'cname':
      return parseCnameRule(directive, words, stops, lookUp);
    case 'rcode':
      return parseRcodeRule(directive, words, stops);
    default:
      throw new CorefileError(directive.place, `rewrite: expected one of ${FIELDS}, found "${field}"`);
  }
}

function rewriting(rules: readonly Rule[], next: Handler): Handler {
  return async (query) => {
    const rewritten = applyRules(rules, query);
    if (typeof rewritten === 'string') return failed(query, rewritten);
    let reply = await next(rewritten.query);
    for (const revert of rewritten.reverts.reverse()) if (reply) reply = await revert(reply);
    return reply;
  };
}

/** @returns why it cannot be asked where a rule made something of it that is no name */
function applyRules(rules: readonly Rule[], query: Query): { query: Query; reverts: Revert[] } | string {
  const reverts: Revert[] = [];
  let current = query;
  for (const rule of rules) {
    try {
      const applied = rule.apply(current);
      if (!applied) continue;
      current = applied.query;
      if (applied.revert) reverts.push(applied.revert);
      if (rule.stops) break;
    } catch (error) {
      return `rewritten to what is no name: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  if (current !== query) {
    const { name, type } = current.question;
    query.trail?.push({ plugin: 'rewrite', text: `asks for ${name} (type ${String(type)}) instead` });
  }
  return { query: current, reverts };
}

const failed = ({ message }: Query, problem: string): Reply => ({
  message: replyTo(message, RCODE.SERVFAIL),
  from: 'rewrite',
  transient: true,
  problem,
});
