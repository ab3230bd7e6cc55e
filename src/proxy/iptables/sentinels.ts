/** A few rules of ours whose presence proves that nobody flushed: a flush takes a whole table or a whole chain, and with it one of these. */
import type { IptablesCheck } from '../../host/iptables.ts';
import type { Frame } from './compile.ts';
import * as names from './names.ts';
import { tokenize } from './parse.ts';
import { ruleText } from './render.ts';
import type { Rule, TableName } from './rule-set.ts';
import { jumpsOf, nodePortEntries } from './top-level.ts';

/** In the order in which a missing one is most likely: the first that is missing ends the search. */
export function sentinelsOf({ options, context }: Frame): readonly IptablesCheck[] {
  const jumps = jumpsOf(options);
  const check = (table: TableName, chain: string, rule: Rule | undefined): IptablesCheck[] =>
    rule ? [{ table, rule: [chain, ...tokenize(ruleText(rule))] }] : [];
  const jump = (table: TableName, chain: string, target: string) =>
    jumps.find(
      (one) =>
        one.table === table &&
        one.chain === chain &&
        one.rule.target.kind === 'jump' &&
        one.rule.target.chain === target,
    )?.rule;
  // it stays while Services come and go
  const last = nodePortEntries(context.nodePortDestinations).at(-1);
  return [
    ...check('nat', 'PREROUTING', jump('nat', 'PREROUTING', names.SERVICES)),
    ...check('filter', 'FORWARD', jump('filter', 'FORWARD', names.FORWARD)),
    ...check('nat', 'POSTROUTING', jump('nat', 'POSTROUTING', names.POSTROUTING)),
    ...check('nat', names.SERVICES, last),
  ];
}
