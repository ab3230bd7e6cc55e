/** SubjectAccessReview and its three relatives: may this user do that? (feature 8-104) */
import { badRequest, invalidObject } from '../../api/api-error.ts';
import { invalid, type FieldError } from '../../api/field-error.ts';
import type { Attributes, ResourceAttributes } from '../authorization/attributes.ts';
import type { Decision } from '../authorization/authorizer.ts';
import type { User } from '../request.ts';
import { kindOf, type ReviewCall, type ReviewObject, type ReviewSpec } from './review.ts';

export async function reviewSelf({ asked, by, server }: ReviewCall): Promise<object> {
  const spec = asked.spec ?? {};
  refuse(asked, oneOfBoth(spec));
  return statusOf(await decide(server, by, attributesIn(spec)));
}

export async function reviewSubject({ asked, server }: ReviewCall): Promise<object> {
  const spec = asked.spec ?? {};
  refuse(asked, [...oneOfBoth(spec), ...somebody(spec)]);
  return statusOf(await decide(server, userIn(spec), attributesIn(spec)));
}

/** For those who may ask about one namespace only. */
export async function reviewLocally({ asked, server, namespace = '' }: ReviewCall): Promise<object> {
  const spec = asked.spec ?? {};
  const { resourceAttributes, nonResourceAttributes } = spec;
  const errors = [...oneOfBoth(spec), ...somebody(spec)];
  if (nonResourceAttributes) {
    const why = 'disallowed on this kind of request';
    errors.push(invalid('spec.nonResourceAttributes', nonResourceAttributes, why));
  }
  refuse(asked, errors);
  if ((resourceAttributes?.namespace ?? '') !== namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  }
  return statusOf(await decide(server, userIn(spec), attributesIn(spec)));
}

function oneOfBoth({ resourceAttributes, nonResourceAttributes }: ReviewSpec): FieldError[] {
  if (resourceAttributes && nonResourceAttributes) {
    const why = 'cannot be specified in combination with resourceAttributes';
    return [invalid('spec.nonResourceAttributes', nonResourceAttributes, why)];
  }
  if (resourceAttributes || nonResourceAttributes) return [];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  return [invalid('spec.resourceAttributes', undefined, why)];
}

function somebody({ user, groups }: ReviewSpec): FieldError[] {
  if (user || groups?.length) return [];
  return [invalid('spec.user', '', 'at least one of user or group must be specified')];
}

function refuse(asked: ReviewObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject(kindOf(asked), '', errors);
}

function userIn({ user = '', uid, groups = [], extra }: ReviewSpec): User {
  return { name: user, groups, ...(uid !== undefined && { uid }), ...(extra && { extra }) };
}

function attributesIn({ resourceAttributes, nonResourceAttributes }: ReviewSpec): Attributes {
  if (!resourceAttributes) {
    const { path = '', verb = '' } = nonResourceAttributes ?? {};
    return { type: 'path', path, verb };
  }
  const { verb = '', group = '', version = '', resource = '', subresource = '' } = resourceAttributes;
  const { namespace = '', name = '' } = resourceAttributes;
  const fields = fieldsIn(resourceAttributes.fieldSelector);
  const place = { verb, group, version, resource, subresource, namespace, name };
  return { type: 'resource', ...place, ...(fields && { fields }) };
}

type Selector = NonNullable<ReviewSpec['resourceAttributes']>['fieldSelector'];

function fieldsIn(selector: Selector): ResourceAttributes['fields'] | undefined {
  if (!selector) return undefined;
  const exact = (selector.requirements ?? []).filter(
    ({ operator, values }) => operator === 'In' && values?.length === 1,
  );
  return new Map(exact.map(({ key = '', values }) => [key, values?.[0] ?? '']));
}

/** As the gate itself decides: with what was acknowledged a moment ago. */
async function decide({ core, authorizer }: ReviewCall['server'], user: User, asked: Attributes): Promise<Decision> {
  await core.cache.catchUp();
  return authorizer.decide(user, asked);
}

function statusOf({ allowed, reason }: Decision): object {
  return { allowed, ...(reason !== '' && { reason }) };
}
