/**
 * What is asked of an authorizer, in Kubernetes' own terms: a request of any shape becomes one of these, and so does the question of a
 * SubjectAccessReview.
 */
import type { ResourceInfo, RequestInfo } from '../routes.ts';

export interface ResourceAttributes {
  readonly type: 'resource';
  /** `get`, `list`, `impersonate`, … */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** '' for the object itself, as for every other absent text here. */
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What a list or watch is narrowed to: field -> the one value it must have. */
  readonly fields?: ReadonlyMap<string, string>;
}

/** A path that names no resource: `/metrics`, `/apis`. */
export interface PathAttributes {
  readonly type: 'path';
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * A namespace is its own scope, so that a Role in it can open it; a list narrowed to one name counts as reading that name, so that
 * `resourceNames` allow `kubectl get NAME -w`; a stream is judged by its method (feature 7-054).
 */
export function attributesOf(info: RequestInfo, method: string, query: URLSearchParams): Attributes {
  if (info.type === 'path') return info;
  const { group, version, resource, subresource = '' } = info;
  const own = resource === 'namespaces' && group === '' ? (info.name ?? '') : '';
  const verb = verbOf(info, method);
  const collection = info.name === undefined && ['list', 'watch', 'deletecollection'].includes(verb);
  const fields = collection ? exactFields(query.get('fieldSelector') ?? '') : undefined;
  return {
    type: 'resource',
    verb,
    group,
    version,
    resource,
    subresource,
    namespace: info.namespace ?? own,
    name: info.name ?? fields?.get('metadata.name') ?? '',
    ...(fields && { fields }),
  };
}

function verbOf({ verb, name }: ResourceInfo, method: string): string {
  if (verb === 'connect') return VERBS[method] ?? method.toLowerCase();
  if (verb === 'head') return name === undefined ? 'list' : 'get';
  return verb;
}

/** The `a=b` of a selector, which must all hold; anything else in it only narrows further. */
export function exactFields(selector: string): ReadonlyMap<string, string> {
  const pairs = selector.split(',').flatMap((part): [string, string][] => {
    const [, field, value] = /^\s*([^=!]+?)==?([^=]*)$/.exec(part) ?? [];
    return field !== undefined && value !== undefined ? [[field, value.trim()]] : [];
  });
  return new Map(pairs);
}
