/**
 * An end to what running an expression costs (KEP-2876). The units are Kubernetes': a step is one, ten characters gone through are one, an item gone
 * through is one.
 */

/** What one run of one expression may cost. */
export const CALL_LIMIT = 1_000_000;

/** What all rules over one object may cost together. */
export const OBJECT_LIMIT = 10_000_000;

/** What is left for the rules over one object; below nought none is run any more. */
export interface Budget {
  left: number;
}

export class CostExceeded extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

// One for all: it is thrown on every step that is tried after the end, and a stack each time would be dear.
const exceeded = new CostExceeded();
let meter: Budget = { left: CALL_LIMIT };

/** Called before what it is for, so that nothing large is made in vain. @throws {CostExceeded} */
export function spend(units: number): void {
  meter.left -= units;
  if (meter.left < 0) throw exceeded;
}

/** @throws {CostExceeded} and leaves nothing in the budget: no further rule is run then */
export function metered<T>(budget: Budget, run: () => T): T {
  const outer = meter;
  const limit = Math.min(CALL_LIMIT, budget.left);
  const own = (meter = { left: limit });
  try {
    return run();
  } finally {
    meter = outer;
    budget.left = own.left < 0 ? -1 : budget.left - (limit - own.left);
    // `all` and `||` go on after an error and may come to an answer.
    if (own.left < 0) throw exceeded;
  }
}

/** What the expression that runs now may still spend. */
export const remaining = (): number => meter.left;
