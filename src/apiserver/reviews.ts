/** Questions about oneself and others that are answered, never stored: `kubectl auth whoami` and `can-i` (feature 8-104). */
import { reviewLocally, reviewSelf, reviewSubject } from './reviews/access.ts';
import { olderReview } from './reviews/older.ts';
import type { Review } from './reviews/review.ts';
import { reviewRules } from './reviews/rules.ts';
import { reviewOneself, reviewToken } from './reviews/users.ts';

export type { Review, ReviewObject } from './reviews/review.ts';

const authentication = { group: 'authentication.k8s.io', version: 'v1' };
const authorization = { group: 'authorization.k8s.io', version: 'v1' };

const present: readonly Review[] = [
  { ...authentication, kind: 'SelfSubjectReview', plural: 'selfsubjectreviews', answer: reviewOneself },
  { ...authentication, kind: 'TokenReview', plural: 'tokenreviews', answer: reviewToken },
  {
    ...authorization,
    kind: 'LocalSubjectAccessReview',
    plural: 'localsubjectaccessreviews',
    namespaced: true,
    answer: reviewLocally,
  },
  { ...authorization, kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', answer: reviewSelf },
  { ...authorization, kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews', answer: reviewRules },
  { ...authorization, kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', answer: reviewSubject },
];

/** kubectl 1.27 asks who it is in v1beta1, which came much later than the others. */
export const REVIEWS: readonly Review[] = [
  ...present,
  ...present.map((review) => olderReview(review, review.kind === 'SelfSubjectReview' ? [30, 33] : [19, 22])),
];

export function reviewByResource(group: string, version: string, plural: string): Review | undefined {
  return REVIEWS.find((each) => each.group === group && each.version === version && each.plural === plural);
}
