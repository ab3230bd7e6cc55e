/** The file of `loadbalance weighted`: names, and below each its addresses with a weight from 1 to 255. Pure. */
import { formatIp, parseIp } from '../../../lib/ip.ts';
import { labelsOf, nameOf } from '../../wire/domain-name.ts';
import type { Weights } from './order.ts';

/** @throws Error that says which line is wrong */
export function parseWeights(text: string): Weights {
  const weights = new Map<string, Map<string, number>>();
  let current: Map<string, number> | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    const [first = '', second, more] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (first === '') continue;
    const wrong = (why: string) => new Error(`line ${String(at + 1)}: ${why}`);
    if (second === undefined) {
      const name = nameOf(labelsOf(first.toLowerCase()));
      weights.set(name, (current = weights.get(name) ?? new Map<string, number>()));
      continue;
    }
    const ip = parseIp(first);
    const weight = Number(second);
    if (!ip || more !== undefined) throw wrong('expected a name, or an address and its weight');
    if (!/^\d{1,3}$/.test(second) || weight < 1 || weight > 255) throw wrong('expected a weight from 1 to 255');
    if (!current) throw wrong('expected a name before its addresses');
    current.set(formatIp(ip), weight);
  }
  return weights;
}
