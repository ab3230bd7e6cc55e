/** /openapi/v2 and /openapi/v3 (features 8-011, 8-012). The documents are made by `api/openapi` and kept once made. */
import { createHash } from 'node:crypto';
import { openApiV2, openApiV2Protobuf, openApiV3, openApiV3Index } from '../api/openapi/index.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import { compress } from './respond.ts';

/** Seconds. */
const YEAR = 31_536_000;
/** Clients ask with an `@` in the name, which is no media type; the answer's name is one. */
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

interface Document {
  readonly body: Buffer;
  readonly etag: string;
}
const made = new Map<string, Document>();

function document(name: string, make: () => object | Uint8Array): Document {
  const present = made.get(name);
  if (present) return present;
  const value = make();
  const body = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(JSON.stringify(value));
  const result = { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` };
  made.set(name, result);
  return result;
}

/** Undefined: no such document. */
export function openApiResponse(request: ApiRequest): ApiResponse | undefined {
  const path = request.path.replace(/\/$/, '');
  if (path === '/openapi/v2') {
    const protobuf = /proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(request.headers['accept'] ?? '');
    return protobuf
      ? answer(request, document('v2 protobuf', openApiV2Protobuf), PROTOBUF)
      : answer(request, document('v2', openApiV2), 'application/json');
  }
  if (path === '/openapi/v3') return answer(request, document('v3', openApiV3Index), 'application/json');
  return path.startsWith('/openapi/v3/') ? groupVersion(request, path.slice('/openapi/v3/'.length)) : undefined;
}

/** A URL with the right hash may be kept for a year; one with another hash is sent to the right one. */
function groupVersion(request: ApiRequest, path: string): ApiResponse | undefined {
  const present = openApiV3(path);
  const location = openApiV3Index().paths[path]?.serverRelativeURL;
  if (!present || location === undefined) return undefined;
  const asked = request.query.get('hash') ?? '';
  if (asked !== '' && !location.endsWith(`hash=${asked}`)) return { status: 301, headers: { location }, body: '' };
  const response = answer(
    request,
    document(`v3 ${path}`, () => present),
    'application/json',
  );
  if (asked === '') return response;
  const expires = new Date(Date.now() + YEAR * 1000).toUTCString();
  const forEver = { 'cache-control': `public, immutable, max-age=${String(YEAR)}`, expires };
  return { ...response, headers: { ...response.headers, ...forEver } };
}

function answer(request: ApiRequest, { body, etag }: Document, type: string): ApiResponse {
  const headers: ApiResponse['headers'] = { etag, vary: 'Accept', 'content-type': type };
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: '' };
  return compress(request, { status: 200, headers, body });
}
