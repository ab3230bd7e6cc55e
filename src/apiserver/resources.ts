/** The verbs on a resource: from what a request says to what the verb's own file does, and back to an answer. */
import { ApiError, badRequest } from '../api/api-error.ts';
import { type Kind } from '../api/kinds.ts';
import type { Status } from '../api/types.ts';
import { fromVersion } from '../api/versions/convert.ts';
import { decodeChecked, fieldValidationOf, isDryRun, parseBody } from './body.ts';
import { patchChange, putChange } from './changes.ts';
import type { Core, WriteContext } from './core.ts';
import { createObject } from './create.ts';
import { fieldManagerOf, optionsKindOf } from './field-manager.ts';
import { parseDeleteOptions } from './delete-options.ts';
import { deleteObject, type Deletion } from './delete.ts';
import { storedKind } from './keys.ts';
import { parseListOptions, wholeNumber } from './list-options.ts';
import { listObjects } from './list.ts';
import type { MediaType } from './media-types.ts';
import { readObject } from './read.ts';
import type { ApiRequest } from './request.ts';
import type { Answer } from './respond.ts';
import type { ResourceInfo } from './routes.ts';
import { updateObject, type Change } from './update.ts';
import { watchResponse } from './watch-stream.ts';

/** Kinds whose DELETE answers the object rather than a Status when it is gone at once (feature 1-008). */
const returnsDeleted: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'podtemplates',
  'persistentvolumes',
  'persistentvolumeclaims',
  'resourcequotas',
]);

export interface Call {
  readonly core: Core;
  readonly kind: Kind;
  readonly info: ResourceInfo;
  readonly request: ApiRequest;
  readonly media: MediaType;
  readonly context: WriteContext;
}

export function contextOf(request: ApiRequest, info: ResourceInfo): WriteContext {
  const { kind, subresource } = info;
  const warnings = kind?.deprecated ? [kind.deprecated] : [];
  return {
    version: kind,
    user: request.user,
    dryRun: isDryRun(request.query.getAll('dryRun'), optionsKindOf(info.verb)),
    warnings,
    manager: fieldManagerOf(request, info),
    ...(subresource !== undefined && { subresource }),
  };
}

export function methodNotAllowed(): ApiError {
  return new ApiError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  });
}

/** A verb on a collection or an item without a subresource, or on `/status`. */
export async function answerResource(call: Call): Promise<Answer> {
  const { info, core, kind, request } = call;
  const { verb, name, subresource } = info;
  const collection = name === undefined;
  switch (verb) {
    case 'list':
      return await answerList(call);
    case 'watch':
      return await answerWatch(call);
    case 'get':
    case 'head':
      if (collection) return await answerList(call);
      // The newest state is never older than any revision there has been; one from the future is waited for (feature 8-046).
      await core.cache.waitFor(wholeNumber('resourceVersion', request.query.get('resourceVersion') || '0'));
      return object(kind, 200, await readObject(core, kind, info.namespace, name));
    case 'create':
      if (!collection) throw methodNotAllowed();
      return await answerCreate(call);
    case 'update':
    case 'patch':
      if (collection) throw methodNotAllowed();
      return await answerChange(call, name, subresource === 'status' ? 'status' : 'main');
    case 'delete':
      if (collection || subresource !== undefined) throw methodNotAllowed();
      return await answerDelete(call, name);
    case 'deletecollection':
      return await answerDeleteCollection(call);
    case 'connect':
      throw methodNotAllowed();
    default:
      throw badRequest(`unknown method ${request.method}`);
  }
}

const object = (kind: Kind, status: number, entry: Extract<Answer, { type: 'object' }>['entry']): Answer => ({
  type: 'object',
  status,
  kind,
  entry,
});

/** A namespaced resource is listed in one or all namespaces, but made in exactly one: across all, Kubernetes only knows GET. */
function requireNamespace({ kind, info }: Call): string | undefined {
  if (!kind.namespaced || info.namespace !== undefined) return info.namespace;
  throw methodNotAllowed();
}

async function answerList({ core, kind, info, request }: Call): Promise<Answer> {
  const options = parseListOptions(kind, info.namespace, request.query);
  return { type: 'list', kind, list: await listObjects(core, kind, options) };
}

async function answerWatch({ core, kind, info, request, media }: Call): Promise<Answer> {
  const options = parseListOptions(kind, info.namespace, request.query, { watch: true, name: info.name });
  return { type: 'response', response: await watchResponse(core, kind, options, media, request) };
}

async function answerCreate(call: Call): Promise<Answer> {
  const { core, kind, request, context } = call;
  const namespace = requireNamespace(call);
  const decoded = decodeChecked(kind, parseBody(request), fieldValidationOf(request.query), context.warnings);
  const entry = await createObject(core, storedKind(kind), namespace, fromVersion(decoded, kind), context);
  return object(kind, 201, entry);
}

async function answerChange(call: Call, name: string, through: Change['through']): Promise<Answer> {
  const { core, kind, context } = call;
  const namespace = requireNamespace(call);
  const change: Change = { through, ...(call.info.verb === 'patch' ? patchChange(call, name) : putChange(call, name)) };
  const { entry, created } = await updateObject(core, storedKind(kind), namespace, name, change, context);
  return object(kind, created ? 201 : 200, entry);
}

async function answerDelete(call: Call, name: string): Promise<Answer> {
  const { core, kind, request, context } = call;
  const { dryRun, ...options } = parseDeleteOptions(request);
  const dry: WriteContext = { ...context, dryRun: dryRun || context.dryRun };
  const deletion = await deleteObject(core, storedKind(kind), requireNamespace(call), name, options, dry);
  return deletionAnswer(kind, name, deletion);
}

export function deletionAnswer(kind: Kind, name: string, { entry, gone }: Deletion): Answer {
  if (!gone) {
    const held = (entry.object.metadata.finalizers ?? []).length > 0;
    return object(kind, held ? 202 : 200, entry);
  }
  if (kind.group === '' && returnsDeleted.has(kind.plural)) return object(kind, 200, entry);
  return { type: 'value', status: 200, value: success(kind, name, entry.object.metadata.uid) };
}

export function success(kind: Kind, name: string, uid: string | undefined): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(kind.group && { group: kind.group }), kind: kind.plural, ...(uid !== undefined && { uid }) },
  };
}

/** Item by item, so that each goes through its own grace and finalizers (feature 8-080). */
async function answerDeleteCollection(call: Call): Promise<Answer> {
  const { core, kind, info, request, context } = call;
  requireNamespace(call);
  const { dryRun, ...options } = parseDeleteOptions(request);
  const dry: WriteContext = { ...context, dryRun: dryRun || context.dryRun };
  const list = await listObjects(core, kind, parseListOptions(kind, info.namespace, request.query));
  const entries = [];
  for (const entry of list.entries) {
    const { namespace, name } = entry.object.metadata;
    try {
      entries.push((await deleteObject(core, storedKind(kind), namespace, name, options, dry)).entry);
    } catch (error) {
      // Gone in the meantime is what was wanted.
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  }
  return { type: 'list', kind, list: { ...list, entries, revision: core.cache.revision } };
}
