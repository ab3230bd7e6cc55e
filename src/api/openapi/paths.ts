/**
 * The operations of a kind, as far as kubectl reads them: which kind a PATCH is about and whether it takes `fieldValidation`
 * (feature 8-014), what a body and an answer look like.
 */
import { apiVersionOf, listKindOf, type Kind } from '../kinds.ts';
import type { ReviewKind } from '../review-kinds.ts';
import { definitionOf } from '../schema/load.ts';
import { customDefinitionName } from './custom-name.ts';
import type { Json, OpenApiVersion } from './schemas.ts';

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

const queryTexts: Readonly<Record<string, string>> = {
  allowWatchBookmarks: 'Asks for BOOKMARK events, which carry only a resourceVersion.',
  continue: 'The token of the page before.',
  dryRun: 'All: do everything but store.',
  fieldManager: 'The name of who writes.',
  fieldSelector: 'Only objects whose fields match.',
  fieldValidation: 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.',
  gracePeriodSeconds: 'Seconds the object may take to stop.',
  labelSelector: 'Only objects whose labels match.',
  limit: 'The most items of one answer.',
  propagationPolicy: 'What happens to dependents: Orphan, Background or Foreground.',
  resourceVersion: 'Not older than this.',
  timeoutSeconds: 'Ends a watch or list after this long.',
  watch: 'Streams changes instead of listing.',
};
const queryTypes: Readonly<Record<string, string>> = {
  allowWatchBookmarks: 'boolean',
  gracePeriodSeconds: 'integer',
  limit: 'integer',
  timeoutSeconds: 'integer',
  watch: 'boolean',
};

const writeQueries = ['dryRun', 'fieldManager', 'fieldValidation'];
const listQueries = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'timeoutSeconds',
  'watch',
];
const deleteQueries = ['dryRun', 'gracePeriodSeconds', 'propagationPolicy'];

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly action: string;
  readonly queries: readonly string[];
  /** Definition of the request body, if it has one. */
  readonly body?: string;
  readonly answer: string;
}

export function pathsOf(kinds: readonly Kind[], version: OpenApiVersion): Json {
  return Object.fromEntries(kinds.flatMap((kind) => pathsOfKind(kind, version)));
}

function pathsOfKind(kind: Kind, version: OpenApiVersion): [string, Json][] {
  const apiVersion = apiVersionOf(kind);
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersion}`;
  const nameOf = (name: string) => (kind.custom ? customDefinitionName(kind, name) : definitionOf(apiVersion, name));
  const object = nameOf(kind.kind);
  const list = nameOf(listKindOf(kind));
  const status = definitionOf('v1', 'Status');
  const options = definitionOf('v1', 'DeleteOptions');
  if (!object || !list || !status || !options)
    throw new Error(`the generated schemas have no ${apiVersion} ${kind.kind}`);
  const write = { queries: writeQueries, body: object, answer: object };
  const listing: Operation = { method: 'get', action: 'list', queries: listQueries, answer: list };
  const collection: Operation[] = [
    listing,
    { method: 'post', action: 'post', ...write },
    {
      method: 'delete',
      action: 'deletecollection',
      queries: [...deleteQueries, 'fieldSelector', 'labelSelector'],
      body: options,
      answer: status,
    },
  ];
  const readAndWrite: Operation[] = [
    { method: 'get', action: 'get', queries: [], answer: object },
    { method: 'put', action: 'put', ...write },
    { method: 'patch', action: 'patch', ...write, queries: [...writeQueries, 'force'] },
  ];
  const item: Operation[] = [
    ...readAndWrite,
    { method: 'delete', action: 'delete', queries: deleteQueries, body: options, answer: status },
  ];
  const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`;
  const path = (url: string, operations: readonly Operation[], suffix = ''): [string, Json] => [
    url,
    Object.fromEntries(operations.map((each) => [each.method, operation(kind, url, each, suffix, version)])),
  ];
  return [
    path(base, collection),
    path(`${base}/{name}`, item),
    ...(kind.namespaced ? [path(`${root}/${kind.plural}`, [listing], 'ForAllNamespaces')] : []),
    ...(kind.subresources.includes('status') ? [path(`${base}/{name}/status`, readAndWrite, 'Status')] : []),
  ];
}

/** Reviews are created and nothing else. */
export function pathsOfReviews(reviews: readonly ReviewKind[], version: OpenApiVersion): Json {
  return Object.fromEntries(
    reviews.map((review) => {
      const { group, version: own, kind, plural, namespaced = false } = review;
      const definition = definitionOf(`${group}/${own}`, kind);
      if (!definition) throw new Error(`the generated schemas have no ${group}/${own} ${kind}`);
      const url = `/apis/${group}/${own}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}`;
      const post = {
        action: 'post',
        method: 'post',
        queries: writeQueries,
        body: definition,
        answer: definition,
      } as const;
      return [url, { post: operation(review, url, post, '', version) }];
    }),
  );
}

function operation(
  kind: Pick<Kind, 'group' | 'version' | 'kind' | 'custom'>,
  url: string,
  { action, queries, body, answer, method }: Operation,
  suffix: string,
  version: OpenApiVersion,
): Json {
  const scope = url.includes('{namespace}') ? 'Namespaced' : '';
  const group = kind.group === '' ? 'Core' : capital(kind.group.split('.')[0] ?? '');
  const parameters = [
    ...[...url.matchAll(/\{(\w+)\}/g)].map((match) => pathParameter(match[1] ?? '', version)),
    ...queries.map((name) => queryParameter(name, version)),
  ];
  const extensions = {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
  };
  const common = {
    description: `${action} ${kind.kind}`,
    operationId: `${action}${group}${capital(kind.version)}${scope}${kind.kind}${suffix}`,
    tags: [`${group.toLowerCase()}_${kind.version}`],
  };
  const ownPatchTypes = kind.custom ? patchTypes.filter((type) => !type.includes('strategic')) : patchTypes;
  const content = method === 'patch' ? ownPatchTypes : ['application/json', 'application/yaml'];
  if (version === 'v2') {
    return {
      ...common,
      consumes: content,
      produces: ['application/json', 'application/yaml'],
      schemes: ['https'],
      parameters: [
        ...(body
          ? [{ name: 'body', in: 'body', required: method !== 'delete', schema: bodySchema(method, body, version) }]
          : []),
        ...parameters,
      ],
      responses: { 200: { description: 'OK', schema: { $ref: `#/definitions/${answer}` } } },
      ...extensions,
    };
  }
  const typed = (types: readonly string[], schema: Json) => Object.fromEntries(types.map((type) => [type, { schema }]));
  return {
    ...common,
    parameters,
    ...(body && {
      requestBody: { content: typed(content, bodySchema(method, body, version)), required: method !== 'delete' },
    }),
    responses: {
      200: { description: 'OK', content: typed(['application/json'], { $ref: `#/components/schemas/${answer}` }) },
    },
    ...extensions,
  };
}

/** A patch is not a whole object, so it is described as any object. */
function bodySchema(method: string, body: string, version: OpenApiVersion): Json {
  if (method === 'patch') return { type: 'object' };
  return { $ref: `${version === 'v2' ? '#/definitions/' : '#/components/schemas/'}${body}` };
}

function pathParameter(name: string, version: OpenApiVersion): Json {
  const description = name === 'namespace' ? 'The namespace of the object.' : 'The name of the object.';
  return { name, in: 'path', required: true, description, ...typeOf('string', version) };
}

function queryParameter(name: string, version: OpenApiVersion): Json {
  const type = name === 'force' ? 'boolean' : (queryTypes[name] ?? 'string');
  const description = queryTexts[name] ?? 'Take over fields that another manager owns.';
  return { name, in: 'query', description, ...typeOf(type, version) };
}

const typeOf = (type: string, version: OpenApiVersion): Json =>
  version === 'v2' ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } };

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
