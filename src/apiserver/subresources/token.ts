/** serviceaccounts/token: issues a token bound to the account and, if asked, to a Pod (feature 8-103). */
import { invalidObject, notFound } from '../../api/api-error.ts';
import { invalid } from '../../api/field-error.ts';
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS, type Kind } from '../../api/kinds.ts';
import type { KubeObject, Pod, ServiceAccount } from '../../api/types.ts';
import { timestamp } from '../../lib/clock.ts';
import type { Core } from '../core.ts';
import { keyOf } from '../keys.ts';
import { readObject, readStored } from '../read.ts';
import type { BoundObject, TokenIssuer } from '../service-account-tokens.ts';

export const TOKEN_REQUEST = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } as const;

export interface TokenRequest extends KubeObject {
  spec: {
    audiences?: string[];
    expirationSeconds?: number;
    boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string };
  };
  status?: { token: string; expirationTimestamp: string };
}

const HOUR = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const bindable: readonly Kind[] = [PODS, SECRETS, NODES];

/** Throws ApiError: 404 no such account or Pod, 409 another incarnation of it, 422. */
export async function requestToken(
  core: Core,
  issuer: TokenIssuer,
  namespace: string,
  name: string,
  request: TokenRequest,
): Promise<TokenRequest> {
  const account = (await readObject(core, SERVICE_ACCOUNTS, namespace, name)).object as ServiceAccount;
  const spec = (request as Partial<TokenRequest>).spec ?? {};
  const seconds = spec.expirationSeconds ?? HOUR;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) {
    const why =
      seconds < MIN_SECONDS
        ? 'may not specify a duration less than 10 minutes'
        : 'may not specify a duration larger than 2^32 seconds';
    throw invalidObject(tokenKind, name, [invalid('spec.expirationSeconds', seconds, why)]);
  }
  const bound = await findBound(core, namespace, account.metadata.name, spec.boundObjectRef);
  const audiences = spec.audiences?.length ? spec.audiences : [issuer.issuer];
  const expires = core.clock.now() + seconds * 1000;
  const token = await issuer.issue({ namespace, name, uid: account.metadata.uid ?? '', audiences, expires, bound });
  return {
    kind: TOKEN_REQUEST.kind,
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: timestamp(core.clock.now()) },
    spec: {
      audiences,
      expirationSeconds: seconds,
      ...(spec.boundObjectRef && { boundObjectRef: spec.boundObjectRef }),
    },
    status: { token, expirationTimestamp: timestamp(expires) },
  };
}

async function findBound(
  core: Core,
  namespace: string,
  account: string,
  ref: TokenRequest['spec']['boundObjectRef'],
): Promise<BoundObject[]> {
  if (!ref) return [];
  const kind = bindable.find((each) => each.kind === ref.kind);
  const name = ref.name ?? '';
  if (!kind || name === '') {
    throw invalidObject(tokenKind, account, [
      invalid('spec.boundObjectRef', ref, 'cannot bind token to this kind of object: use a Pod, a Secret or a Node'),
    ]);
  }
  // Past the cache: the kubelet asks in the same moment in which the Pod was bound.
  const entry = await readStored(core, kind, keyOf(kind, namespace, name));
  if (!entry) throw notFound(kind, name);
  const { uid = '' } = entry.object.metadata;
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) {
    throw invalidObject(tokenKind, account, [
      invalid('spec.boundObjectRef.uid', ref.uid, `the UID of the present ${kind.kind} is ${uid}`),
    ]);
  }
  const bound: BoundObject = { kind: kind.singular as BoundObject['kind'], name, uid };
  if (kind !== PODS) return [bound];
  const { serviceAccountName, nodeName } = (entry.object as Pod).spec;
  if (serviceAccountName !== account) {
    throw invalidObject(tokenKind, account, [
      invalid(
        'spec.boundObjectRef.name',
        name,
        `cannot bind token: the Pod uses service account ${JSON.stringify(serviceAccountName)}`,
      ),
    ]);
  }
  const node = nodeName ? core.cache.of(NODES).get(keyOf(NODES, undefined, nodeName)) : undefined;
  if (!node) return [bound];
  return [bound, { kind: 'node', name: node.object.metadata.name, uid: node.object.metadata.uid ?? '' }];
}

const tokenKind: Kind = {
  ...TOKEN_REQUEST,
  plural: 'tokenrequests',
  singular: 'tokenrequest',
  shortNames: [],
  namespaced: true,
  categories: [],
  subresources: [],
};
