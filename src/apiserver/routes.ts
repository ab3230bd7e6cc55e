/** From method and path to what is asked for: the same facts authorization, metrics and dispatch work on. */
import { badRequest } from '../api/api-error.ts';
import type { Kind, Subresource } from '../api/kinds.ts';
import type { ServedKinds } from './served-kinds.ts';
import { isTrue } from './query.ts';

export type Verb =
  'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'connect' | 'head';

/** A path under /api/v1 or /apis/<group>/<version> that names a resource, served or not. */
export interface ResourceInfo {
  readonly type: 'resource';
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  /** The plural in the URL. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: Subresource | undefined;
  /** What follows the subresource: `proxy/…`. Percent-encoded as it came. */
  readonly rest: string;
  /** Undefined: no such resource here. */
  readonly kind: Kind | undefined;
}

/** Everything else: /version, /healthz, discovery, /openapi/v2. */
export interface PathInfo {
  readonly type: 'path';
  readonly path: string;
  readonly verb: string;
}

export type RequestInfo = ResourceInfo | PathInfo;

const connected: readonly string[] = ['exec', 'attach', 'portforward', 'proxy'];

/** Throws BadRequest for a path that cannot be decoded. */
export function parsePath(method: string, path: string, query: URLSearchParams, kinds: ServedKinds): RequestInfo {
  const plain: PathInfo = { type: 'path', path, verb: method.toLowerCase() };
  const parts = path.split('/').slice(1);
  const [root] = parts;
  if (root !== 'api' && root !== 'apis') return plain;
  const [group, version, ...rooted] = root === 'api' ? ['', ...parts.slice(1)] : parts.slice(1);
  // The deprecated way to ask for a watch (feature 8-054).
  const isWatchPath = method === 'GET' && rooted[0] === 'watch' && rooted.length > 1;
  const under = isWatchPath ? rooted.slice(1) : rooted;
  if (group === undefined || version === undefined || under.length === 0 || under[0] === '') return plain;
  const scoped = under[0] === 'namespaces' && under.length > 2 && !isNamespaceSubresource(under);
  const namespace = scoped ? decode(under[1]) : undefined;
  const [resource, name, subresource, ...rest] = scoped ? under.slice(2) : under;
  const plural = decode(resource);
  const inner = decode(subresource);
  return {
    type: 'resource',
    verb: isWatchPath ? 'watch' : verbOf(method, decode(name), inner, query),
    group,
    version,
    resource: plural,
    namespace,
    name: decode(name) || undefined,
    subresource: (inner || undefined) as Subresource | undefined,
    rest: rest.join('/'),
    kind: kinds.byResource(group, version, plural),
  };
}

/**
 * A subresource without a name, with something behind it or below /watch: no such path. It must lead nowhere, for it was authorized as
 * `pods/status`, and would be answered as `pods`.
 */
export function leadsNowhere({ verb, name, subresource, rest }: ResourceInfo): boolean {
  if (subresource === undefined) return false;
  return name === undefined || verb === 'watch' || (rest !== '' && subresource !== 'proxy');
}

/** Paths of the proxy subresources: their bodies are not ours to read (feature 8-118). */
export function isPassedOn(path: string): boolean {
  return /^\/api\/v1\/(namespaces\/[^/]+\/(pods|services)|nodes)\/[^/]+\/proxy(\/|$)/.test(path);
}

/** /namespaces/x/status is the Namespace's own status, not a resource of namespace x. */
function isNamespaceSubresource(under: readonly string[]): boolean {
  return under.length === 3 && (under[2] === 'status' || under[2] === 'finalize');
}

function decode(segment: string | undefined): string {
  if (segment === undefined) return '';
  let text;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw badRequest(`the path segment ${JSON.stringify(segment)} is not valid percent-encoding`);
  }
  // A slash inside a name would reach into another object's key.
  if (text.includes('/') || text.includes('\0')) {
    throw badRequest(`invalid path segment ${JSON.stringify(text)}: may not contain '/'`);
  }
  return text;
}

function verbOf(method: string, name: string, subresource: string, query: URLSearchParams): Verb {
  if (connected.includes(subresource)) return 'connect';
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    case 'HEAD':
      return 'head';
    case 'GET':
      if (subresource === '' && isTrue(query.get('watch'))) return 'watch';
      return name === '' ? 'list' : 'get';
    default:
      // No resource takes any other method.
      return 'connect';
  }
}
