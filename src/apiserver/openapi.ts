/** /openapi/v2 and /openapi/v3 (features 8-011, 8-012). */
import { gunzipSync } from 'node:zlib';
import { documentOf } from './openapi-custom.ts';
import type { OpenApiDocument } from './openapi-files.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import type { ServedKinds } from './served-kinds.ts';

/** Seconds. */
const YEAR = 31_536_000;
/** Clients ask with an `@` in the name, which is no media type; the answer's name is one. */
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Undefined: no such document. */
export async function openApiResponse(request: ApiRequest, kinds: ServedKinds): Promise<ApiResponse | undefined> {
  const path = request.path.replace(/\/$/, '');
  if (path === '/openapi/v2') {
    const protobuf = /proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(request.headers['accept'] ?? '');
    const made = await documentOf(protobuf ? 'v2.protobuf' : 'v2', kinds);
    return made && answer(request, made, protobuf ? PROTOBUF : 'application/json');
  }
  const made = path.startsWith('/openapi/v3') ? await documentOf(path.slice('/openapi/'.length), kinds) : undefined;
  if (!made) return undefined;
  const { location } = made;
  const asked = request.query.get('hash') ?? '';
  if (location === undefined || asked === '') return answer(request, made, 'application/json');
  // A URL with the right hash may be kept for a year; one with another hash is sent to the right one.
  if (!location.endsWith(`hash=${asked}`)) return { status: 301, headers: { location }, body: '' };
  const response = answer(request, made, 'application/json');
  const expires = new Date(Date.now() + YEAR * 1000).toUTCString();
  const forEver = { 'cache-control': `public, immutable, max-age=${String(YEAR)}`, expires };
  return { ...response, headers: { ...response.headers, ...forEver } };
}

function answer(request: ApiRequest, { zipped, etag }: OpenApiDocument, type: string): ApiResponse {
  const headers: ApiResponse['headers'] = { etag, vary: 'Accept, Accept-Encoding', 'content-type': type };
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: '' };
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    return { status: 200, headers, body: gunzipSync(zipped) };
  }
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: zipped };
}
