/** When two chains are the same, however iptables-save words and orders what iptables-restore was given. */
import { ruleText } from './render.ts';
import type { Chain, Match, Rule } from './rule-set.ts';

const signatures = new WeakMap<Chain, string>();

/** Equal exactly for chains that do the same, comments included. */
export function chainSignature(chain: Chain): string {
  let text = signatures.get(chain);
  if (text === undefined) {
    text = chain.rules.map(ruleSignature).join('\n');
    signatures.set(chain, text);
  }
  return text;
}

const ruleSignatures = new WeakMap<Rule, string>();

/** Rules are shared between syncs by identity, so each is worked out once. */
export function ruleSignature(rule: Rule): string {
  let text = ruleSignatures.get(rule);
  if (text === undefined) {
    const matches = rule.matches.map(canonical).sort((a, b) => rank(a) - rank(b));
    text = ruleText({ matches, target: rule.target });
    ruleSignatures.set(rule, text);
  }
  return text;
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
