/** The words of a rule, one after the other, as matches and statements. Pure. */
import { UnknownRuleError } from '../trace-outcome.ts';

/** What a part of a key is read from. */
export type Selector =
  | { readonly kind: 'saddr' | 'daddr' | 'l4proto' | 'dport' | 'original-daddr' | 'original-dport' }
  | { readonly kind: 'numgen'; readonly count: number; readonly offset: number }
  /** Four numbers the kernel makes of other selectors. */
  | { readonly kind: 'hash'; readonly text: string };

export type Part =
  | { readonly kind: 'is'; readonly what: 'new' | 'invalid' | 'dnat' | 'local-daddr' | 'local-saddr' }
  | { readonly kind: 'l4proto'; readonly protocols: readonly string[] }
  | {
      readonly kind: 'address';
      readonly of: 'saddr' | 'daddr';
      readonly not: boolean;
      readonly ranges: readonly string[];
    }
  | { readonly kind: 'interface'; readonly not: boolean; readonly name: string }
  | { readonly kind: 'mark'; readonly mask: number; readonly value: number }
  | { readonly kind: 'set-mark'; readonly op: '|' | '^'; readonly bits: number }
  | { readonly kind: 'lookup'; readonly key: readonly Selector[]; readonly set: string; readonly not: boolean }
  | { readonly kind: 'vmap'; readonly key: readonly Selector[]; readonly map: string }
  | { readonly kind: 'dnat'; readonly key: readonly Selector[]; readonly map: string }
  | { readonly kind: 'verdict'; readonly text: string }
  | { readonly kind: 'masquerade' }
  /** Remembers something for later packets. */
  | { readonly kind: 'update' };

const SELECTOR = String.raw`(?:ct original )?ip6? [sd]addr|meta l4proto|th dport|ct original proto-dst|numgen random mod \d+(?: offset \d+)?`;
const HASH = String.raw`jhash (?:${SELECTOR})(?: \. (?:${SELECTOR}))* mod \d+ seed 0x[\da-f]+`;
const KEY = String.raw`(?:${HASH}|${SELECTOR})(?: \. (?:${HASH}|${SELECTOR}))*`;

type Grammar = readonly (readonly [RegExp, (found: Readonly<Record<string, string>>) => Part | undefined])[];
const at = (source: string): RegExp => new RegExp(`^(?:${source})(?: |$)`);

const GRAMMAR: Grammar = [
  [at('ct state (?<what>new|invalid)'), ({ what }) => ({ kind: 'is', what: what === 'new' ? 'new' : 'invalid' })],
  [at('ct status dnat'), () => ({ kind: 'is', what: 'dnat' })],
  [
    at('fib (?<what>[sd]addr) type local'),
    ({ what }) => ({ kind: 'is', what: what === 'saddr' ? 'local-saddr' : 'local-daddr' }),
  ],
  [
    at(String.raw`meta l4proto (?:\{ (?<some>[\w, ]+) \}|(?<one>tcp|udp|sctp))`),
    ({ some, one }) => ({
      kind: 'l4proto',
      protocols: (some ?? one ?? '').split(', '),
    }),
  ],
  [
    at(String.raw`meta mark & (?<mask>0x[\da-f]+) == (?<value>0x[\da-f]+)`),
    ({ mask, value }) => ({ kind: 'mark', mask: Number(mask), value: Number(value) }),
  ],
  [
    at(String.raw`meta mark set meta mark (?<op>[|^]) (?<bits>0x[\da-f]+)`),
    ({ op, bits }) => ({ kind: 'set-mark', op: op === '|' ? '|' : '^', bits: Number(bits) }),
  ],
  [
    at('iifname (?<not>!= )?"(?<name>[^"]*)"'),
    ({ not, name = '' }) => ({ kind: 'interface', not: not !== undefined, name }),
  ],
  [at(`(?<key>${KEY}) vmap @(?<map>\\S+)`), ({ key, map = '' }) => ({ kind: 'vmap', key: selectorsOf(key), map })],
  [
    at(`(?<key>${KEY}) (?<not>!= )?@(?<set>\\S+)`),
    ({ key, not, set = '' }) => ({ kind: 'lookup', key: selectorsOf(key), set, not: not !== undefined }),
  ],
  [
    at(`dnat (?:ip6? )?to (?<key>${KEY}) map @(?<map>[\\w-]+)(?: ?: ?${KEY} map @[\\w-]+)?`),
    ({ key, map = '' }) => ({ kind: 'dnat', key: selectorsOf(key), map }),
  ],
  [
    at(String.raw`ip6? (?<of>[sd]addr) (?<not>!= )?(?:\{ (?<some>[^{}]+) \}|(?<one>[\da-f.:]+(?:/\d+)?))`),
    ({ of, not, some, one }) => ({
      kind: 'address',
      of: of === 'saddr' ? 'saddr' : 'daddr',
      not: not !== undefined,
      ranges: (some ?? one ?? '').split(', '),
    }),
  ],
  [at(String.raw`update @[\w-]+ \{[^{}]*\}`), () => ({ kind: 'update' })],
  [at('masquerade fully-random'), () => ({ kind: 'masquerade' })],
  [
    at(String.raw`(?<text>accept|drop|reject(?: with tcp reset)?|return|continue|(?:jump|goto) \S+)`),
    ({ text = '' }) => ({ kind: 'verdict', text }),
  ],
  [at('comment "[^"]*"|counter packets \\d+ bytes \\d+'), () => undefined],
];

function selectorsOf(text = ''): readonly Selector[] {
  const words = text.match(new RegExp(`${HASH}|${SELECTOR}`, 'g')) ?? [];
  return words.map((word): Selector => {
    if (word.startsWith('jhash')) return { kind: 'hash', text: word };
    const [, count, offset] = /^numgen random mod (\d+)(?: offset (\d+))?$/.exec(word) ?? [];
    if (count !== undefined) return { kind: 'numgen', count: Number(count), offset: Number(offset ?? 0) };
    if (word === 'meta l4proto') return { kind: 'l4proto' };
    if (word === 'th dport') return { kind: 'dport' };
    if (word === 'ct original proto-dst') return { kind: 'original-dport' };
    if (word.startsWith('ct original') && word.endsWith('daddr')) return { kind: 'original-daddr' };
    return { kind: word.endsWith('saddr') ? 'saddr' : 'daddr' };
  });
}

const known = new Map<string, readonly (Part | { readonly kind: 'unknown'; readonly text: string })[]>();

export type RulePart = Part | { readonly kind: 'unknown'; readonly text: string };

/** Words that are not understood are kept, and refused by whoever meets them. */
export function partsOf(rule: string): readonly RulePart[] {
  const found = known.get(rule);
  if (found) return found;
  const parts: RulePart[] = [];
  let rest = rule;
  while (rest !== '') {
    const next = firstPart(rest);
    if (!next) {
      parts.push({ kind: 'unknown', text: rest });
      break;
    }
    rest = rest.slice(next.length).trimStart();
    if (next.part) parts.push(next.part);
  }
  // rules are few and the same ones come again; whatever else is read shall not grow without end
  if (known.size > 10_000) known.clear();
  known.set(rule, parts);
  return parts;
}

function firstPart(text: string): { part: Part | undefined; length: number } | undefined {
  for (const [pattern, make] of GRAMMAR) {
    const found = pattern.exec(text);
    if (found) return { part: make(found.groups ?? {}), length: found[0].length };
  }
  return undefined;
}

export const refuseToGuess = (rule: string): UnknownRuleError =>
  new UnknownRuleError(`do not understand this rule: ${rule}`);
