/** SelfSubjectRulesReview: everything one may do in a namespace, for `kubectl auth can-i --list`. */
import { badRequest } from '../../api/api-error.ts';
import { nodeNameOf } from '../authorization/node-identity.ts';
import { listOf } from '../authorization/rbac.ts';
import type { ReviewCall } from './review.ts';

export async function reviewRules({ asked, by, server }: ReviewCall): Promise<object> {
  const namespace = asked.spec?.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  await server.core.cache.catchUp();
  const { rules, missing } = server.rbac.rulesFor(by, namespace);
  // What a node may do depends on its Pods, so it cannot be listed.
  const isNode = nodeNameOf(by) !== undefined;
  const problems = [...missing, ...(isNode ? ['node authorizer does not support user rule resolution'] : [])];
  return {
    resourceRules: rules
      .filter(({ resources }) => (resources ?? []).length > 0)
      .map(({ verbs = [], apiGroups, resources, resourceNames }) => ({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames?.length && { resourceNames }),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => (nonResourceURLs ?? []).length > 0)
      .map(({ verbs = [], nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: problems.length > 0,
    ...(problems.length > 0 && { evaluationError: listOf(problems) }),
  };
}
