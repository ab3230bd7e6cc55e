/** Subresources other than status: which verb they take and what they do. */
import { admitSubresource, ownFace } from '../admission/face.ts';
import { restrictToken } from '../admission/node-restriction.ts';
import { badRequest } from '../../api/api-error.ts';
import type { KindName } from '../../api/decode.ts';
import { CERTIFICATE_SIGNING_REQUESTS, NAMESPACES, PODS, SERVICE_ACCOUNTS, type Subresource } from '../../api/kinds.ts';
import type { CertificateSigningRequest, KubeObject, Namespace, Pod } from '../../api/types.ts';
import type { DeleteOptions } from '../../client/client.ts';
import { decodeChecked, fieldValidationOf, parseBody } from '../body.ts';
import type { Core, WriteContext } from '../core.ts';
import { deleteOptionsOf } from '../delete-options.ts';
import { deleteObject } from '../delete.ts';
import type { Entry } from '../entry.ts';
import { mergePatchTypeOf } from '../media-types.ts';
import { patchObject } from '../patch.ts';
import { readObject } from '../read.ts';
import type { Answer } from '../respond.ts';
import { parsePatchBody } from '../changes.ts';
import { methodNotAllowed, success, type Call } from '../resources.ts';
import type { TokenIssuer } from '../service-account-tokens.ts';
import { updateObject, type Change } from '../update.ts';
import { answerScale } from './answer-scale.ts';
import { applyApproval } from './approval.ts';
import { applyBinding, BINDING, type Binding } from './binding.ts';
import { admitEviction, EVICTION, evictionKindOf } from './eviction.ts';
import { additionsOf, applyEphemeralContainers, withAdditions } from './ephemeral-containers.ts';
import { requestToken, TOKEN_REQUEST, type TokenRequest } from './token.ts';

/** Served ones that are not streams. */
export const plainSubresources: readonly Subresource[] = [
  'status',
  'scale',
  'binding',
  'eviction',
  'token',
  'finalize',
  'ephemeralcontainers',
  'approval',
];

export async function answerSubresource(call: Call, tokens: TokenIssuer): Promise<Answer> {
  const { info, core, kind, context } = call;
  const { subresource, name } = info;
  if (name === undefined) throw badRequest('a subresource needs the name of its object');
  if (subresource === 'scale') return await answerScale(call, name);
  if (subresource === 'approval') return await answerApproval(call, name);
  if (subresource === 'ephemeralcontainers') return await answerEphemeralContainers(call, name);
  if (info.verb === 'create' && kind === PODS && subresource === 'binding') {
    const binding = decodeBody<Binding>(call, BINDING);
    await bindPod(core, info.namespace, name, binding, context);
    return { type: 'value', status: 201, value: { ...success(kind, name, undefined), code: 201 } };
  }
  if (info.verb === 'create' && kind === PODS && subresource === 'eviction') {
    const eviction = decodeBody<KubeObject & { deleteOptions?: Record<string, unknown> }>(
      call,
      evictionKindOf(parseBody(call.request)),
    );
    const { dryRun, ...options } = deleteOptionsOf(eviction.deleteOptions ?? {});
    const dry: WriteContext = { ...context, dryRun: dryRun || context.dryRun };
    await evictPod(core, info.namespace ?? '', name, options, dry);
    return { type: 'value', status: 201, value: { ...success(kind, name, undefined), code: 201 } };
  }
  if (info.verb === 'create' && kind === SERVICE_ACCOUNTS && subresource === 'token') {
    const request = decodeBody<TokenRequest>(call, TOKEN_REQUEST);
    const { boundObjectRef } = (request as Partial<TokenRequest>).spec ?? {};
    await restrictToken(core, call.request.user, info, boundObjectRef);
    const { namespace } = info;
    const posted = { namespace, name, subresource, face: TOKEN_REQUEST, object: request };
    const admitted = await admitPosted(call, posted);
    return { type: 'value', status: 201, value: await requestToken(core, tokens, namespace ?? '', name, admitted) };
  }
  if (info.verb === 'update' && kind === NAMESPACES && subresource === 'finalize') {
    const entry = await finalizeNamespace(core, name, decodeBody<Namespace>(call, kind), context);
    return { type: 'object', status: 200, kind, entry };
  }
  throw methodNotAllowed();
}

function decodeBody<T extends KubeObject>({ request, context }: Call, kind: Parameters<typeof decodeChecked>[0]): T {
  const validation = fieldValidationOf(request.query);
  return decodeChecked(kind, parseBody(request), validation, context.warnings) as T;
}

async function answerApproval(call: Call, name: string): Promise<Answer> {
  const { info, core, kind, request, context } = call;
  const answer = (entry: Entry): Answer => ({ type: 'object', status: 200, kind, entry });
  let wanted: (current: CertificateSigningRequest) => CertificateSigningRequest;
  if (info.verb === 'get' || info.verb === 'head') return answer(await readObject(core, kind, undefined, name));
  if (info.verb === 'update') {
    const decided = decodeBody<CertificateSigningRequest>(call, CERTIFICATE_SIGNING_REQUESTS);
    wanted = () => decided;
  } else if (info.verb === 'patch') {
    const type = mergePatchTypeOf(request.headers['content-type']);
    const patch = { type, ...parsePatchBody(request), validation: fieldValidationOf(request.query, 'PatchOptions') };
    wanted = (current) => patchObject(CERTIFICATE_SIGNING_REQUESTS, current, patch, context.warnings);
  } else throw methodNotAllowed();
  const apply = (current: KubeObject | undefined): KubeObject => {
    const present = current as CertificateSigningRequest;
    return applyApproval(present, wanted(present), core.clock.now());
  };
  const change: Change = { through: 'raw', face: ownFace('approval'), apply };
  return answer((await updateObject(core, kind, undefined, name, change, context)).entry);
}

async function answerEphemeralContainers(call: Call, name: string): Promise<Answer> {
  const { info, core, kind, request, context } = call;
  const { namespace, verb } = info;
  const answer = (entry: Entry): Answer => ({ type: 'object', status: 200, kind, entry });
  let wanted: (current: Pod) => Pod;
  if (verb === 'get' || verb === 'head') return answer(await readObject(core, PODS, namespace, name));
  if (verb === 'update') {
    const added = additionsOf(parseBody(request));
    const pod = added ? undefined : decodeBody<Pod>(call, PODS);
    wanted = (current) => pod ?? withAdditions(current, added ?? []);
  } else if (verb === 'patch') {
    const type = mergePatchTypeOf(request.headers['content-type']);
    const body = parsePatchBody(request);
    const validation = fieldValidationOf(request.query, 'PatchOptions');
    wanted = (current) => patchObject(PODS, current, { type, ...body, validation }, context.warnings);
  } else throw methodNotAllowed();
  const apply = (pod: KubeObject | undefined) => applyEphemeralContainers(pod as Pod, wanted(pod as Pod));
  const change: Change = { through: 'raw', face: ownFace('ephemeralcontainers'), apply };
  return answer((await updateObject(core, PODS, namespace, name, change, context)).entry);
}

export async function bindPod(
  core: Core,
  namespace: string | undefined,
  name: string,
  binding: Binding,
  context: WriteContext,
): Promise<void> {
  const posted = { namespace, name, subresource: 'binding', face: BINDING, object: binding };
  const admitted = await admitPosted({ core, kind: PODS, context }, posted);
  const apply = (pod: KubeObject | undefined) => applyBinding(pod as Pod, admitted, core.clock.now());
  await updateObject(core, PODS, namespace, name, { through: 'raw', apply }, context);
}

/** What webhooks make of an object that is posted under another one. Throws ApiError. */
async function admitPosted<T extends KubeObject>(
  call: Pick<Call, 'core' | 'kind' | 'context'>,
  posted: Posted<T>,
): Promise<T> {
  const { core, kind, context } = call;
  return (await admitSubresource(core, { ...posted, operation: 'CREATE', kind, context })) as T;
}

interface Posted<T extends KubeObject> {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string;
  readonly face: KindName;
  readonly object: T;
}

export async function evictPod(
  core: Core,
  namespace: string,
  name: string,
  options: DeleteOptions,
  context: WriteContext,
): Promise<void> {
  const object = {
    kind: EVICTION.kind,
    apiVersion: 'policy/v1',
    metadata: { name, namespace },
    deleteOptions: options,
  };
  await admitPosted(
    { core, kind: PODS, context },
    { namespace, name, subresource: 'eviction', face: EVICTION, object },
  );
  await admitEviction(core, namespace, name, context);
  // The eviction was asked about: the deletion is not a second question.
  await deleteObject(core, PODS, namespace, name, options, { ...context, isInternal: true });
}

/** Only spec.finalizers is taken over: the namespace goes when the last is gone (feature 8-083). */
export async function finalizeNamespace(core: Core, name: string, wanted: Namespace, context: WriteContext) {
  const apply = (current: KubeObject | undefined): KubeObject => {
    const namespace = current as Namespace;
    namespace.spec = { ...namespace.spec, finalizers: wanted.spec?.finalizers ?? [] };
    if (wanted.metadata.resourceVersion) namespace.metadata.resourceVersion = wanted.metadata.resourceVersion;
    return namespace;
  };
  const change: Change = { through: 'raw', face: ownFace('finalize'), apply };
  return (await updateObject(core, NAMESPACES, undefined, name, change, context)).entry;
}
