/** Plan -> our table as data: chains, sets and elements. */
import type { Family } from '../../lib/ip.ts';
import type { Plan } from '../plan/types.ts';
import { compareText } from '../plan/order.ts';
import { chainOf, type Elements } from './elements.ts';
import { countOf, countedChain, fixedChains, shapeOf, type Chain } from './skeleton.ts';
import { withTemplates } from './templates.ts';
import { Wanted } from './wanted.ts';

export interface Table {
  readonly family: Family;
  readonly chains: readonly Chain[];
  readonly elements: Elements;
}

/** Pure. Counted chains are those some element leads to, and one of each kind. */
export function compile(plan: Plan): Table {
  const elements = new Wanted(plan).elements();
  const shape = shapeOf(plan);
  const counted = countedNames(elements).flatMap((name) => countedChain(name, plan.options) ?? []);
  return { family: plan.options.family, chains: [...fixedChains(shape), ...counted], elements };
}

/** The counted chains that elements lead to, and the templates, by kind and count. */
export function countedNames(elements: Elements): readonly string[] {
  const names = new Set<string>();
  for (const values of elements.values()) for (const value of values.values()) addCounted(names, value);
  return sortCounted(withTemplates(names));
}

/** Adds the counted chain an element's value leads to, if it does. */
export function addCounted(names: Set<string>, value: string): void {
  const chain = chainOf(value);
  if (chain !== undefined && !names.has(chain) && countOf(chain)) names.add(chain);
}

export function sortCounted(names: Iterable<string>): readonly string[] {
  return [...names].sort((a, b) => {
    const [left, right] = [countOf(a), countOf(b)];
    return compareText(left?.kind ?? '', right?.kind ?? '') || (left?.count ?? 0) - (right?.count ?? 0);
  });
}
