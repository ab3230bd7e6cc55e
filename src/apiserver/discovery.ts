/** What is served, in both of discovery's languages: the old documents and the aggregated one (features 8-001 to 8-007). */
import { createHash } from 'node:crypto';
import { apiVersionOf, storedKind, type Kind, type Subresource } from '../api/kinds.ts';
import { compareVersions } from '../api/versions/order.ts';
import { chooseMediaType, discoveryForms } from './media-types.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import { REVIEWS } from './reviews.ts';
import type { ServedKinds } from './served-kinds.ts';

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

interface Sub {
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly verbs: readonly string[];
}

const connect = ['create', 'get'];
const proxyVerbs = ['create', 'delete', 'get', 'head', 'options', 'patch', 'update'];
const core = (kind: string) => ({ group: '', version: 'v1', kind });

/** Undefined: a subresource this server does not offer. */
function subresourceOf(kind: Kind, subresource: Subresource): Sub | undefined {
  const own = { group: kind.group, version: kind.version, kind: kind.kind };
  switch (subresource) {
    case 'status':
      return { kind: own, verbs: ['get', 'patch', 'update'] };
    case 'scale':
      return { kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get', 'patch', 'update'] };
    case 'binding':
      return { kind: core('Binding'), verbs: ['create'] };
    case 'eviction':
      return { kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] };
    case 'token':
      return { kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }, verbs: ['create'] };
    case 'approval':
      return { kind: own, verbs: ['get', 'patch', 'update'] };
    case 'finalize':
      return { kind: own, verbs: ['update'] };
    case 'log':
      return { kind: own, verbs: ['get'] };
    case 'exec':
      return { kind: core('PodExecOptions'), verbs: connect };
    case 'attach':
      return { kind: core('PodAttachOptions'), verbs: connect };
    case 'portforward':
      return { kind: core('PodPortForwardOptions'), verbs: connect };
    case 'proxy':
      return { kind: core(`${kind.kind}ProxyOptions`), verbs: proxyVerbs };
    case 'ephemeralcontainers':
      return { kind: own, verbs: ['get', 'patch', 'update'] };
  }
}

export function servesSubresource(kind: Kind, subresource: Subresource): boolean {
  return kind.subresources.includes(subresource) && subresourceOf(kind, subresource) !== undefined;
}

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly kinds: readonly Kind[];
}

/** In the order the table of kinds brings them up; the core group first. */
function groupVersions(kinds: ServedKinds): GroupVersion[] {
  const found = new Map<string, { group: string; version: string; kinds: Kind[] }>();
  const at = (group: string, version: string) => {
    const key = `${group}/${version}`;
    const present = found.get(key) ?? { group, version, kinds: [] };
    found.set(key, present);
    return present;
  };
  for (const kind of kinds.all) at(kind.group, kind.version).kinds.push(kind);
  for (const { group, version } of REVIEWS) at(group, version);
  return [...found.values()];
}

export interface Group {
  readonly name: string;
  /** The preferred one first. */
  readonly versions: readonly GroupVersion[];
}

/** In the order of the table of kinds. */
export function servedGroups(kinds: ServedKinds): Group[] {
  const found = new Map<string, GroupVersion[]>();
  for (const served of groupVersions(kinds)) found.set(served.group, [...(found.get(served.group) ?? []), served]);
  return [...found].map(([name, versions]) => ({
    name,
    versions: versions.sort((a, b) => compareVersions(a.version, b.version)),
  }));
}

const text = ({ group, version }: GroupVersion) => (group === '' ? version : `${group}/${version}`);

function resourceList(served: GroupVersion): object {
  const kinds = served.kinds.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: ALL_VERBS,
      ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      ...(kind.categories.length > 0 && { categories: kind.categories }),
      storageVersionHash: createHash('sha256')
        .update(`${storedVersionOf(kind)}/${kind.kind}`)
        .digest('base64')
        .slice(0, 12),
    },
    ...kind.subresources.flatMap((subresource) => {
      const sub = subresourceOf(kind, subresource);
      if (!sub) return [];
      const other = sub.kind.group !== kind.group || sub.kind.version !== kind.version;
      return [
        {
          name: `${kind.plural}/${subresource}`,
          singularName: '',
          namespaced: kind.namespaced,
          ...(other && { group: sub.kind.group, version: sub.kind.version }),
          kind: sub.kind.kind,
          verbs: sub.verbs,
        },
      ];
    }),
  ]);
  const reviews = reviewsOf(served).map(({ plural, kind, namespaced = false }) => ({
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: ['create'],
  }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: text(served), resources: [...kinds, ...reviews] };
}

function storedVersionOf(kind: Kind): string {
  return kind.custom ? `${kind.group}/${kind.custom.storageVersion}` : apiVersionOf(storedKind(kind));
}

const reviewsOf = ({ group, version }: GroupVersion) =>
  REVIEWS.filter((each) => each.group === group && each.version === version);

function apiGroup({ name, versions }: Group): object {
  const listed = versions.map((served) => ({ groupVersion: text(served), version: served.version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

/** The aggregated document of the core group (`/api`) or of all others (`/apis`). */
function aggregated(kinds: ServedKinds, isCore: boolean, version: string): object {
  const items = servedGroups(kinds)
    .filter(({ name }) => (name === '') === isCore)
    .map(({ name, versions }) => ({
      metadata: { name, creationTimestamp: null },
      versions: versions.map((served) => ({
        version: served.version,
        freshness: 'Current',
        resources: aggregatedResources(served),
      })),
    }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items,
  };
}

function aggregatedResources(served: GroupVersion): object[] {
  const { group, version } = served;
  const kinds = served.kinds.map((kind) => {
    const subresources = kind.subresources.flatMap((subresource) => {
      const sub = subresourceOf(kind, subresource);
      return sub ? [{ subresource, responseKind: sub.kind, verbs: sub.verbs }] : [];
    });
    return {
      resource: kind.plural,
      responseKind: { group, version, kind: kind.kind },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: kind.singular,
      verbs: ALL_VERBS,
      ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      ...(kind.categories.length > 0 && { categories: kind.categories }),
      ...(subresources.length > 0 && { subresources }),
    };
  });
  const reviews = reviewsOf(served).map(({ plural, kind, namespaced }) => ({
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: ['create'],
  }));
  return [...kinds, ...reviews];
}

/** Undefined: not a discovery path. `address` is what the server is reached by. */
export function discoveryResponse(request: ApiRequest, address: string, kinds: ServedKinds): ApiResponse | undefined {
  const path = request.path.replace(/\/$/, '');
  if (path === '/api' || path === '/apis') {
    const media = chooseMediaType(request.headers['accept'], discoveryForms);
    if (media.as === 'APIGroupDiscoveryList') {
      const version = media.version ?? 'v2';
      const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      return tagged(request, aggregated(kinds, path === '/api', version), type);
    }
    return tagged(request, path === '/api' ? apiVersions(address) : apiGroupList(kinds));
  }
  const [, root, group = '', version] = path.split('/');
  if (root === 'api' && version === undefined) return resourcesResponse(request, kinds, '', group);
  if (root !== 'apis') return undefined;
  if (version !== undefined) return resourcesResponse(request, kinds, group, version);
  const served = servedGroups(kinds).find(({ name }) => name === group);
  return served && tagged(request, { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(served) });
}

function resourcesResponse(
  request: ApiRequest,
  kinds: ServedKinds,
  group: string,
  version: string,
): ApiResponse | undefined {
  const served = groupVersions(kinds).find((each) => each.group === group && each.version === version);
  return served && tagged(request, resourceList(served));
}

function apiVersions(address: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

function apiGroupList(kinds: ServedKinds): object {
  const named = servedGroups(kinds).filter(({ name }) => name !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(apiGroup) };
}

/** With an ETag, so that a client that has it already is told so in a few bytes. */
function tagged(request: ApiRequest, value: object, type = 'application/json'): ApiResponse {
  const body = Buffer.from(JSON.stringify(value));
  const etag = `"${createHash('sha256').update(body).digest('hex').toUpperCase()}"`;
  const headers = { etag, vary: 'Accept', 'cache-control': 'public' };
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: '' };
  return { status: 200, headers: { ...headers, 'content-type': type }, body };
}

/** The paths `/` lists (feature 8-101). */
export function rootPaths(kinds: ServedKinds): string[] {
  const versions = groupVersions(kinds);
  const named = servedGroups(kinds).filter(({ name }) => name !== '');
  return [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    '/apis/',
    ...named
      .flatMap((each) => [`/apis/${each.name}`, ...each.versions.map((served) => `/apis/${text(served)}`)])
      .sort(),
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    ...versions.map((each) => `/openapi/v3/${each.group === '' ? 'api' : 'apis'}/${text(each)}`).sort(),
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
}
