/** Questions about oneself and others that are answered, never stored: `kubectl auth whoami` and `can-i` (feature 8-104). */
import * as kinds from '../api/review-kinds.ts';
import { reviewLocally, reviewSelf, reviewSubject } from './reviews/access.ts';
import { olderReview } from './reviews/older.ts';
import type { Review } from './reviews/review.ts';
import { reviewRules } from './reviews/rules.ts';
import { reviewOneself, reviewToken } from './reviews/users.ts';

export type { Review, ReviewObject } from './reviews/review.ts';

const present: readonly Review[] = [
  { ...kinds.SELF_SUBJECT_REVIEWS, answer: reviewOneself },
  { ...kinds.TOKEN_REVIEWS, answer: reviewToken },
  { ...kinds.LOCAL_SUBJECT_ACCESS_REVIEWS, answer: reviewLocally },
  { ...kinds.SELF_SUBJECT_ACCESS_REVIEWS, answer: reviewSelf },
  { ...kinds.SELF_SUBJECT_RULES_REVIEWS, answer: reviewRules },
  { ...kinds.SUBJECT_ACCESS_REVIEWS, answer: reviewSubject },
];

/** kubectl 1.27 asks who it is in v1beta1, which came much later than the others. */
export const REVIEWS: readonly Review[] = [
  ...present,
  ...present.map((review) => olderReview(review, review.kind === 'SelfSubjectReview' ? [30, 33] : [19, 22])),
];

export function reviewByResource(group: string, version: string, plural: string): Review | undefined {
  return REVIEWS.find((each) => each.group === group && each.version === version && each.plural === plural);
}
