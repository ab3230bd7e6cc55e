/** A few rules of ours whose presence proves that nobody flushed: a flush takes a whole table or a whole chain, and with it one of these. */
import type { IptablesCheck } from '../../host/iptables.ts';
import * as names from './names.ts';
import { tokenize } from './parse.ts';
import { ruleText } from './render.ts';
import type { Rule, RuleSet, TableName } from './rule-set.ts';

/** In the order in which a missing one is most likely: the first that is missing ends the search. */
export function sentinelsOf(wanted: RuleSet): readonly IptablesCheck[] {
  const check = (table: TableName, chain: string, rule: Rule | undefined): IptablesCheck[] =>
    rule ? [{ table, rule: [chain, ...tokenize(ruleText(rule))] }] : [];
  const jump = (table: TableName, chain: string, target: string) =>
    wanted.jumps.find(
      (one) =>
        one.table === table &&
        one.chain === chain &&
        one.rule.target.kind === 'jump' &&
        one.rule.target.chain === target,
    )?.rule;
  const last = wanted.tables.nat.find((chain) => chain.name === names.SERVICES)?.rules.at(-1);
  // the last rule of KUBE-SERVICES is about node ports and stays while Services come and go
  const isLasting = last?.target.kind === 'jump' && last.target.chain === names.NODE_PORTS;
  return [
    ...check('nat', 'PREROUTING', jump('nat', 'PREROUTING', names.SERVICES)),
    ...check('filter', 'FORWARD', jump('filter', 'FORWARD', names.FORWARD)),
    ...check('nat', 'POSTROUTING', jump('nat', 'POSTROUTING', names.POSTROUTING)),
    ...(isLasting ? check('nat', names.SERVICES, last) : []),
  ];
}
