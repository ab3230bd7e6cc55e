/** The AdmissionReview that is sent, and what is made of the one that comes back (admission.k8s.io/v1 and v1beta1). Pure. */
import type { KindName } from '../../../api/decode.ts';
import type { Kind } from '../../../api/kinds.ts';
import type { KubeObject, Status } from '../../../api/types.ts';
import { toVersion } from '../../../api/versions/convert.ts';
import type { Attributes } from '../attributes.ts';
import type { Asked } from './match.ts';

export interface Answer {
  readonly allowed: boolean;
  readonly status: Partial<Status> | undefined;
  /** Operations of a JSON patch (RFC 6902), not checked yet. */
  readonly patch: unknown;
  readonly warnings: readonly string[];
}

type Version = 'v1' | 'v1beta1';

/** The first of those the webhook understands that is known here. */
export function reviewVersion(understood: readonly string[]): Version | undefined {
  return understood.find((each): each is Version => each === 'v1' || each === 'v1beta1');
}

const optionKinds = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions', CONNECT: '' };

/** @param kind the version the webhook wants to see */
export function reviewOf(
  version: Version,
  uid: string,
  kind: Kind,
  attributes: Attributes,
  { requested }: Asked,
): object {
  const { operation, namespace, name, subresource, face, object, old, context } = attributes;
  const { user } = context;
  const shown = (each: KubeObject | undefined) => (each === undefined ? null : face ? each : toVersion(each, kind));
  const optionKind = optionKinds[operation];
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      kind: kindNameOf(face ?? kind),
      resource: resourceNameOf(kind),
      ...(subresource !== undefined && { subResource: subresource }),
      requestKind: kindNameOf(face ?? requested),
      requestResource: resourceNameOf(requested),
      ...(subresource !== undefined && { requestSubResource: subresource }),
      ...(name !== '' && { name }),
      ...(namespace !== undefined && { namespace }),
      operation,
      userInfo: {
        username: user.name,
        ...(user.uid !== undefined && { uid: user.uid }),
        groups: user.groups,
        ...(user.extra && { extra: user.extra }),
      },
      object: shown(object),
      oldObject: shown(old),
      dryRun: context.dryRun,
      options: optionKind
        ? { kind: optionKind, apiVersion: 'meta.k8s.io/v1', ...(context.dryRun && { dryRun: ['All'] }) }
        : null,
    },
  };
}

const kindNameOf = ({ group, version, kind }: KindName) => ({ group, version, kind });
const resourceNameOf = ({ group, version, plural }: Kind) => ({ group, version, resource: plural });

/** Throws an Error that says what of the answer cannot be used. */
export function readReview(version: Version, uid: string, body: unknown): Answer {
  const review = asRecord(body) ?? {};
  const wanted = `admission.k8s.io/${version}`;
  // The first webhooks of v1beta1 answered without saying what it is.
  if (version === 'v1' && (review['apiVersion'] !== wanted || review['kind'] !== 'AdmissionReview')) {
    const got = `${String(review['apiVersion'] ?? '')}, Kind=${String(review['kind'] ?? '')}`;
    throw new Error(`expected webhook response of ${wanted}, Kind=AdmissionReview, got ${got}`);
  }
  const response = asRecord(review['response']);
  if (!response) throw new Error('webhook response was absent');
  if (version === 'v1' && response['uid'] !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`);
  }
  return {
    allowed: response['allowed'] === true,
    status: asRecord(response['status']) as Partial<Status> | undefined,
    patch: patchOf(response, version),
    warnings: (Array.isArray(response['warnings']) ? (response['warnings'] as unknown[]) : []).filter(
      (each) => typeof each === 'string',
    ),
  };
}

function patchOf({ patch, patchType }: Record<string, unknown>, version: Version): unknown {
  if (patch === undefined || patch === null || patch === '') {
    if (patchType) throw new Error('webhook returned response.patchType but not response.patch');
    return undefined;
  }
  if (!patchType && version === 'v1') throw new Error('webhook returned response.patch but not response.patchType');
  if (patchType && patchType !== 'JSONPatch') {
    throw new Error(`webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  }
  if (typeof patch !== 'string') throw new Error('response.patch is not base64 text');
  try {
    return JSON.parse(Buffer.from(patch, 'base64').toString()) as unknown;
  } catch {
    throw new Error('response.patch is not a JSON patch in base64');
  }
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
