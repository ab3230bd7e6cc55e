/** In which order the upstreams are asked (feature 4-051). Pure but for the draws it is given. */
export type PolicyName = 'random' | 'round_robin' | 'sequential';
export const POLICIES: readonly PolicyName[] = ['random', 'round_robin', 'sequential'];

/** Each call is the order for one question. */
export type Policy = <T>(list: readonly T[]) => T[];

/** @param random from 0 to 1, exclusive */
export function policyOf(name: PolicyName, random: () => number): Policy {
  let turn = 0;
  switch (name) {
    case 'sequential':
      return (list) => [...list];
    case 'random':
      return (list) => shuffled(list, random);
    case 'round_robin':
      return (list) => {
        const first = turn++ % Math.max(1, list.length);
        return [...list.slice(first), ...list.slice(0, first)];
      };
  }
}

/** Fisher and Yates. */
export function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const order = [...list];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [order[last], order[other]];
    if (a !== undefined && b !== undefined) [order[last], order[other]] = [b, a];
  }
  return order;
}
