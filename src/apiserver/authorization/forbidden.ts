/** The refusal in Kubernetes' words (feature 8-094). Pure. */
import { ApiError } from '../../api/api-error.ts';
import type { User } from '../request.ts';
import type { Attributes } from './attributes.ts';

export function forbidden(user: User, asked: Attributes, reason = ''): ApiError {
  const who = `User ${JSON.stringify(user.name)}`;
  const because = reason === '' ? '' : `: ${reason}`;
  if (asked.type === 'path') {
    const message = `forbidden: ${who} cannot ${asked.verb} path ${JSON.stringify(asked.path)}${because}`;
    return new ApiError({ code: 403, reason: 'Forbidden', message, details: {} });
  }
  const { verb, resource, group, namespace, name, subresource } = asked;
  const full = `${resource}${subresource && `/${subresource}`}`;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const title = `${resource}${group && `.${group}`}${name && ` ${JSON.stringify(name)}`}`;
  const what = `${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${scope}`;
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${title} is forbidden: ${who} cannot ${what}${because}`,
    details: { ...(name && { name }), ...(group && { group }), kind: resource },
  });
}
