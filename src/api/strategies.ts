/** Which behaviour belongs to which kind. A kind without a line of its own has metadata checks and nothing else. */
import { defineStrategy } from './define-strategy.ts';
import { KINDS, SERVICES, type Kind } from './kinds.ts';
import { serviceStrategy } from './strategies/service.ts';
import type { Strategy } from './strategy.ts';
import type { KubeObject } from './types.ts';

/** Ties a strategy to its own kind's objects, then forgets the object type: the table holds all kinds. */
function entry<T extends KubeObject>(kind: Kind<T>, strategy: Strategy<T>): [Kind, Strategy] {
  return [kind, strategy as unknown as Strategy];
}

const special: [Kind, Strategy][] = [entry(SERVICES, serviceStrategy)];

const strategies = new Map<Kind, Strategy>([
  ...KINDS.map((kind): [Kind, Strategy] => [kind, defineStrategy(kind)]),
  ...special,
]);

/** The behaviour of a served kind; every row of KINDS has one. */
export function strategyFor<T extends KubeObject>(kind: Kind<T>): Strategy<T> {
  const strategy = strategies.get(kind);
  if (!strategy) throw new Error(`no strategy for ${kind.kind}: it is not a row of KINDS`);
  // The map pairs each kind with a strategy over that kind's own objects.
  return strategy as unknown as Strategy<T>;
}
