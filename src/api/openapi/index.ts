/** OpenAPI documents (features 8-011 to 8-016): made from the type graph and the table of kinds when first asked for, then kept. */
import { createHash } from 'node:crypto';
import { apiVersionOf, KINDS } from '../kinds.ts';
import type { Kind } from '../kinds.ts';
import { REVIEW_KINDS } from '../review-kinds.ts';
import { loadSchemas } from '../schema/load.ts';
import { customParts } from './custom.ts';
import { pathsOf, pathsOfReviews } from './paths.ts';
import { encodeDocument } from './protobuf.ts';
import { definitionsOf, groupVersionKind, type Json } from './schemas.ts';

const info = { title: 'Kubernetes', version: 'v1.36.2' };

/** Calls `make` once. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const openApiV2: () => Json = once(() => ({
  swagger: '2.0',
  info,
  paths: { ...pathsOf(KINDS, 'v2'), ...pathsOfReviews(REVIEW_KINDS, 'v2') },
  definitions: definitionsOf(Object.values(loadSchemas().kinds), 'v2'),
}));

export const openApiV2Protobuf: () => Uint8Array = once(() => encodeDocument(openApiV2()));

/** Definition names of what each group and version holds: its kinds, their lists, and what goes with them. */
const rootsByGroupVersion = once(() => {
  const roots = new Map<string, string[]>();
  for (const [key, definition] of Object.entries(loadSchemas().kinds)) {
    const { group, version } = groupVersionKind(key);
    const groupVersion = group === '' ? version : `${group}/${version}`;
    roots.set(groupVersion, [...(roots.get(groupVersion) ?? []), definition]);
  }
  return roots;
});

/** The version 2 document with custom resources in it. `base` is changed. */
export function withCustomV2(base: Json, kinds: readonly Kind[]): Json {
  const { paths, definitions } = customParts(kinds, 'v2');
  Object.assign(base['paths'] as Json, paths);
  base['definitions'] = { ...definitions, ...(base['definitions'] as Json) };
  return base;
}

/** What custom resources add to the version 2 document in protobuf: to be put behind it, as messages merge when they are joined. */
export function customV2Protobuf(kinds: readonly Kind[]): Uint8Array {
  return encodeDocument({ info, ...customParts(kinds, 'v2') });
}

/** The version 3 document of one group and version, given its custom resources and the document of its built-in kinds. */
export function customV3(kinds: readonly Kind[], base?: Json): Json {
  const { paths, definitions } = customParts(kinds, 'v3');
  const components = (base?.['components'] as { schemas?: Json } | undefined)?.schemas;
  return {
    openapi: '3.0.0',
    info,
    paths: { ...(base?.['paths'] as Json | undefined), ...paths },
    components: { schemas: { ...definitionsOf(sharedRoots(), 'v3'), ...definitions, ...components } },
  };
}

/** Every delete takes DeleteOptions and may answer a Status, whatever the group. */
const sharedRoots = (): string[] => ['v1/DeleteOptions', 'v1/Status'].map((key) => loadSchemas().kinds[key] ?? '');

const documents = new Map<string, Json>();

/** @param path as in the index: `api/v1` or `apis/apps/v1`; undefined when nothing of the kind is served */
export function openApiV3(path: string): Json | undefined {
  const groupVersion = path === 'api/v1' ? 'v1' : path.startsWith('apis/') ? path.slice('apis/'.length) : path;
  const roots = rootsByGroupVersion().get(groupVersion);
  if (!roots) return undefined;
  const made = documents.get(groupVersion);
  if (made) return made;
  const kinds = KINDS.filter((kind) => apiVersionOf(kind) === groupVersion);
  const reviews = REVIEW_KINDS.filter(({ group, version }) => `${group}/${version}` === groupVersion);
  const document: Json = {
    openapi: '3.0.0',
    info,
    paths: { ...pathsOf(kinds, 'v3'), ...pathsOfReviews(reviews, 'v3') },
    components: { schemas: definitionsOf([...roots, ...sharedRoots()], 'v3') },
  };
  documents.set(groupVersion, document);
  return document;
}

const hashes = new Map<string, string>();

/** Of the content, because clients keep a document for a year under its URL; '' when there is no such document. */
export function openApiV3Hash(path: string): string {
  let hash = hashes.get(path);
  if (hash === undefined) {
    const document = openApiV3(path);
    if (!document) return '';
    hash = createHash('sha256').update(JSON.stringify(document)).digest('hex').slice(0, 32).toUpperCase();
    hashes.set(path, hash);
  }
  return hash;
}

export const openApiV3Index: () => { paths: Record<string, { serverRelativeURL: string }> } = once(() => ({
  paths: Object.fromEntries(
    [...rootsByGroupVersion().keys()].map((groupVersion) => {
      const path = groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`;
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${openApiV3Hash(path)}` }];
    }),
  ),
}));
