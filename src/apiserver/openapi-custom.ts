/**
 * The OpenAPI documents with custom resources in them. Made when first asked for after the kinds have changed, then kept until they change
 * again; without custom resources the files of `openapi-files.ts` are all there is.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { apiVersionOf } from '../api/kinds.ts';
import { customV2Protobuf, customV3, withCustomV2 } from '../api/openapi/index.ts';
import { openApiDocument, type OpenApiDocument } from './openapi-files.ts';
import type { ServedKinds } from './served-kinds.ts';

type Json = Record<string, unknown>;

const unzip = promisify(gunzip);
const zip = promisify(gzip);

/** By server, because several may run in one process. */
const caches = new WeakMap<
  ServedKinds,
  { generation: number; made: Map<string, Promise<OpenApiDocument | undefined>> }
>();

/** @param name `v2`, `v2.protobuf`, `v3` or `v3/<path>`; undefined: no such document */
export function documentOf(name: string, kinds: ServedKinds): Promise<OpenApiDocument | undefined> {
  if (kinds.custom.length === 0) return openApiDocument(name);
  let cache = caches.get(kinds);
  if (cache?.generation !== kinds.generation) {
    cache = { generation: kinds.generation, made: new Map() };
    caches.set(kinds, cache);
  }
  const known = cache.made.get(name);
  if (known) return known;
  const made = make(name, kinds);
  cache.made.set(name, made);
  made.catch(() => cache.made.delete(name));
  return made;
}

async function make(name: string, kinds: ServedKinds): Promise<OpenApiDocument | undefined> {
  const { custom } = kinds;
  const base = await openApiDocument(name);
  switch (name) {
    case 'v2':
      return await document(Buffer.from(JSON.stringify(withCustomV2(await parsed(base), custom))));
    case 'v2.protobuf': {
      const bytes = base ? await unzip(base.zipped) : Buffer.alloc(0);
      return await document(Buffer.concat([bytes, customV2Protobuf(custom)]));
    }
    case 'v3':
      return await makeIndex(base, kinds);
    default: {
      const own = custom.filter((kind) => name === `v3/apis/${apiVersionOf(kind)}`);
      if (own.length === 0) return base;
      const value = customV3(own, base && (await parsed(base)));
      const made = await document(Buffer.from(JSON.stringify(value)));
      const hash = createHash('sha256').update(made.etag).digest('hex').slice(0, 32).toUpperCase();
      return { ...made, location: `/openapi/${name}?hash=${hash}` };
    }
  }
}

/** Which documents of version 3 there are, and where, with the hash of what they say. */
async function makeIndex(base: OpenApiDocument | undefined, kinds: ServedKinds): Promise<OpenApiDocument> {
  const { paths = {} } = (await parsed(base)) as { paths?: Json };
  for (const groupVersion of new Set(kinds.custom.map(apiVersionOf))) {
    const made = await documentOf(`v3/apis/${groupVersion}`, kinds);
    paths[`apis/${groupVersion}`] = { serverRelativeURL: made?.location };
  }
  return await document(Buffer.from(JSON.stringify({ paths })));
}

async function parsed(base: OpenApiDocument | undefined): Promise<Json> {
  return base ? (JSON.parse((await unzip(base.zipped)).toString()) as Json) : {};
}

async function document(bytes: Uint8Array): Promise<OpenApiDocument> {
  const etag = `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"`;
  return { file: '', etag, zipped: await zip(bytes) };
}
