/** `kubectl --as`: a request on behalf of somebody else, by one who may `impersonate` them. Pure. */
import { badRequest } from '../../api/api-error.ts';
import type { ResourceAttributes } from '../authorization/attributes.ts';
import { ANONYMOUS, type User } from '../request.ts';

/** Name in lower case and value, as often as the header came. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

const PREFIX = 'impersonate-';
const EXTRA = 'impersonate-extra-';
const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';

export const isImpersonationHeader = (name: string): boolean => name.startsWith(PREFIX);

export interface Impersonation {
  /** Who the request is taken to come from. */
  readonly user: User;
  /** What the real user must be allowed, each of it. */
  readonly asked: readonly ResourceAttributes[];
}

/** Undefined: nobody is impersonated. Throws BadRequest for groups without a user, and for keys that are no percent-encoding. */
export function parseImpersonation(headers: HeaderPairs): Impersonation | undefined {
  const all = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value);
  const [name = ''] = all('impersonate-user');
  const [uid = ''] = all('impersonate-uid');
  const groups = all('impersonate-group');
  // A Map, as a key may be called __proto__.
  const extra = new Map<string, string[]>();
  for (const [key, value] of headers) {
    if (!key.startsWith(EXTRA)) continue;
    const own = decodeKey(key.slice(EXTRA.length));
    extra.set(own, [...(extra.get(own) ?? []), value]);
  }
  if (name === '') {
    if (groups.length === 0 && uid === '' && extra.size === 0) return undefined;
    throw badRequest('requested uid, groups or user-extra without impersonating a user');
  }
  const account = accountOf(name);
  const asked = [
    account ? ask('', 'serviceaccounts', account.name, account.namespace) : ask('', 'users', name),
    ...groups.map((group) => ask('', 'groups', group)),
    ...(uid === '' ? [] : [ask('authentication.k8s.io', 'uids', uid)]),
    ...[...extra].flatMap(([key, values]) =>
      values.map((value) => ({ ...ask('authentication.k8s.io', 'userextras', value), subresource: key })),
    ),
  ];
  const user: User = {
    name,
    ...(uid !== '' && { uid }),
    groups: groupsOf(name, groups, account?.namespace),
    ...(extra.size > 0 && { extra: Object.fromEntries(extra) }),
  };
  return { user, asked };
}

function ask(group: string, resource: string, name: string, namespace = ''): ResourceAttributes {
  return { type: 'resource', verb: 'impersonate', group, version: 'v1', resource, subresource: '', namespace, name };
}

/** Those asked for, or the ones a service account is in anyway; and whether they are somebody or a stranger. */
function groupsOf(name: string, asked: readonly string[], namespace: string | undefined): string[] {
  const own = namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const groups = asked.length > 0 ? [...asked] : own;
  if (groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED)) return groups;
  return [...groups, name === ANONYMOUS.name ? UNAUTHENTICATED : AUTHENTICATED];
}

function accountOf(name: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  return namespace === undefined || account === undefined ? undefined : { namespace, name: account };
}

/** Header names know no slash, which keys have. */
function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badRequest(`the key ${JSON.stringify(text)} of an Impersonate-Extra header is not valid percent-encoding`);
  }
}
