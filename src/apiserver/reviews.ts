/** Questions about oneself and others that are answered, never stored: `kubectl auth whoami` and `can-i` (feature 8-104). */
import type { KindName } from '../api/decode.ts';
import { kindByResource, type Subresource } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import type { Authorizer } from './authorize.ts';
import type { User } from './request.ts';
import type { RequestInfo, Verb } from './routes.ts';
import type { TokenIssuer } from './service-account-tokens.ts';

/** One kind of question: `create` is the only verb. */
export interface Review extends KindName {
  readonly plural: string;
  answer(asked: ReviewObject, by: User, tools: ReviewTools): Promise<object> | object;
}

export interface ReviewTools {
  readonly authorizer: Authorizer;
  readonly tokens: TokenIssuer;
}

interface Attributes {
  namespace?: string;
  verb?: string;
  group?: string;
  version?: string;
  resource?: string;
  subresource?: string;
  name?: string;
}

export interface ReviewObject extends KubeObject {
  spec?: {
    resourceAttributes?: Attributes;
    nonResourceAttributes?: { path?: string; verb?: string };
    user?: string;
    groups?: string[];
    token?: string;
    audiences?: string[];
  };
}

const authentication = { group: 'authentication.k8s.io', version: 'v1' };
const authorization = { group: 'authorization.k8s.io', version: 'v1' };

export const REVIEWS: readonly Review[] = [
  {
    ...authentication,
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    answer: (_asked, by) => ({ userInfo: userInfo(by) }),
  },
  { ...authentication, kind: 'TokenReview', plural: 'tokenreviews', answer: reviewToken },
  {
    ...authorization,
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    answer: (asked, by, { authorizer }) => reviewAccess(asked, by, authorizer),
  },
  {
    ...authorization,
    kind: 'SubjectAccessReview',
    plural: 'subjectaccessreviews',
    answer: ({ spec, ...rest }, _by, { authorizer }) =>
      reviewAccess(
        { spec, ...rest } as ReviewObject,
        { name: spec?.user ?? '', groups: spec?.groups ?? [] },
        authorizer,
      ),
  },
];

export function reviewByResource(group: string, version: string, plural: string): Review | undefined {
  return REVIEWS.find((each) => each.group === group && each.version === version && each.plural === plural);
}

function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) };
}

async function reviewToken({ spec }: ReviewObject, _by: User, { tokens }: ReviewTools): Promise<object> {
  const audiences = spec?.audiences?.length ? spec.audiences : [tokens.issuer];
  for (const audience of audiences) {
    const user = spec?.token ? await tokens.verify(spec.token, audience) : undefined;
    if (user) return { authenticated: true, user: userInfo(user), audiences: [audience] };
  }
  return { authenticated: false, user: {}, error: 'the token is not valid' };
}

function reviewAccess({ spec }: ReviewObject, user: User, authorizer: Authorizer): object {
  return { allowed: authorizer.allows(user, infoOf(spec)) };
}

function infoOf(spec: ReviewObject['spec']): RequestInfo {
  const path = spec?.nonResourceAttributes;
  if (path) return { type: 'path', path: path.path ?? '', verb: path.verb ?? '' };
  const {
    group = '',
    version = 'v1',
    resource = '',
    subresource,
    name,
    namespace,
    verb = '',
  } = spec?.resourceAttributes ?? {};
  return {
    type: 'resource',
    verb: verb as Verb,
    group,
    version: version === '' || version === '*' ? 'v1' : version,
    resource,
    namespace: namespace || undefined,
    name: name || undefined,
    subresource: (subresource || undefined) as Subresource | undefined,
    rest: '',
    kind: kindByResource(group, 'v1', resource),
  };
}
