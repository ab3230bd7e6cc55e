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

/** A chain of the kernel, as small as it can be kept: 30,000 Services of four endpoints have 150,000 of them. */
export interface ChainPrint {
  readonly count: number;
  /** Equal for chains that do the same; by chance for one in 2^53 that do not. */
  readonly print: number;
}

/** Of `count` rules of one chain, told one after the other. */
export class PrintMaker implements ChainPrint {
  count = 0;
  #low = 0x811c9dc5;
  #high = 0x1b873593;

  add(rule: Rule): void {
    this.count++;
    const text = ruleSignature(rule);
    let [low, high] = [this.#low, this.#high];
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high ^ code, 0x85ebca6b) + low;
    }
    // where one rule ends and the next begins matters too
    this.#low = Math.imul(low ^ 0x100, 0x01000193);
    this.#high = Math.imul(high ^ 0x100, 0x85ebca6b) + this.#low;
  }

  get print(): number {
    return (this.#high >>> 11) * 0x100000000 + (this.#low >>> 0);
  }
}

export function printOf(chain: Chain): ChainPrint {
  const maker = new PrintMaker();
  for (const rule of chain.rules) maker.add(rule);
  return maker;
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
