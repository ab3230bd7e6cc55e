/** When two chains are the same, however iptables-save words and orders what iptables-restore was given. */
import { ruleText } from './render.ts';
import type { Chain, Match, Rule } from './rule-set.ts';

/** Equal exactly for chains that do the same, comments included. */
export function chainSignature(chain: Chain): string {
  return chain.rules.map(ruleSignature).join('\n');
}

/** Equal exactly for rules that do the same. */
export function ruleSignature(rule: Rule): string {
  const matches = rule.matches.map(canonical).sort((a, b) => rank(a) - rank(b));
  return ruleText({ matches, target: rule.target });
}

/** The kernel keeps probabilities in 31 bits; addresses of one host need no length. */
function canonical(match: Match): Match {
  if (match.kind === 'random') {
    return { kind: 'random', probability: Math.round(match.probability * 0x80000000) / 0x80000000 };
  }
  if (match.kind === 'source' || match.kind === 'destination') {
    return { ...match, cidr: hostOf(match.cidr) };
  }
  if (match.kind === 'state') return { ...match, states: match.states.toSorted() };
  return match;
}

const ORDER: readonly Match['kind'][] = [
  'source',
  'destination',
  'interface',
  'protocol',
  'comment',
  'state',
  'mark',
  'address-type',
  'dport',
  'set',
  'random',
  'recent-check',
  'recent-set',
  'unknown',
];

const rank = (match: Match): number => ORDER.indexOf(match.kind);

const hostOf = (cidr: string): string => cidr.replace(cidr.includes(':') ? /\/128$/ : /\/32$/, '');
