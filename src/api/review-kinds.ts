/** Questions that are answered and never stored (feature 8-104): no rows of the table of kinds, but served and documented like them. */
export interface ReviewKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced?: boolean;
}

const authentication = { group: 'authentication.k8s.io', version: 'v1' };
const authorization = { group: 'authorization.k8s.io', version: 'v1' };

export const SELF_SUBJECT_REVIEWS = { ...authentication, kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' };
export const TOKEN_REVIEWS = { ...authentication, kind: 'TokenReview', plural: 'tokenreviews' };
export const LOCAL_SUBJECT_ACCESS_REVIEWS = {
  ...authorization,
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  namespaced: true,
};
export const SELF_SUBJECT_ACCESS_REVIEWS = {
  ...authorization,
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
};
export const SELF_SUBJECT_RULES_REVIEWS = {
  ...authorization,
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
};
export const SUBJECT_ACCESS_REVIEWS = { ...authorization, kind: 'SubjectAccessReview', plural: 'subjectaccessreviews' };

export const REVIEW_KINDS: readonly ReviewKind[] = [
  SELF_SUBJECT_REVIEWS,
  TOKEN_REVIEWS,
  LOCAL_SUBJECT_ACCESS_REVIEWS,
  SELF_SUBJECT_ACCESS_REVIEWS,
  SELF_SUBJECT_RULES_REVIEWS,
  SUBJECT_ACCESS_REVIEWS,
];
