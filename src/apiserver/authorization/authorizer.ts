/** Who may do what: several authorizers are asked in turn, and the first that allows it decides. Nobody can deny what another allows. */
import type { User } from '../request.ts';
import type { Attributes } from './attributes.ts';

export interface Decision {
  readonly allowed: boolean;
  /** Why, for people: '' where there is nothing to say. */
  readonly reason: string;
}

/** Decides at once, from what is in memory. */
export interface Authorizer {
  decide(user: User, asked: Attributes): Decision;
}

export const ALLOWED: Decision = { allowed: true, reason: '' };
export const NO_OPINION: Decision = { allowed: false, reason: '' };

export const MASTERS = 'system:masters';

/** The administrators' group is above all rules, so that no mistake in a role can lock everybody out. */
export const masters: Authorizer = {
  decide: ({ groups }) => (groups.includes(MASTERS) ? ALLOWED : NO_OPINION),
};

export function firstOf(authorizers: readonly Authorizer[]): Authorizer {
  return {
    decide(user, asked) {
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.decide(user, asked);
        if (decision.allowed) return decision;
        if (decision.reason !== '') reasons.push(decision.reason);
      }
      return { allowed: false, reason: reasons.join('\n') };
    },
  };
}
