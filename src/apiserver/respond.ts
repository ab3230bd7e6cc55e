/** From what a verb answers to bytes: JSON or YAML, the object itself, a Table or its metadata (features 8-017 to 8-025, 8-059). */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ApiError } from '../api/api-error.ts';
import { invalid } from '../api/field-error.ts';
import { apiVersionOf, listKindOf, storedKind, type Kind } from '../api/kinds.ts';
import { partialMetadata, toTable, type IncludeObject } from '../api/table.ts';
import type { KubeObject, List } from '../api/types.ts';
import { toVersion } from '../api/versions/convert.ts';
import { invalidOption } from './body.ts';
import { BytesWriter } from './bytes-writer.ts';
import type { Entry } from './entry.ts';
import type { ListAnswer } from './list.ts';
import { chooseMediaType, type MediaType } from './media-types.ts';
import type { ApiRequest, ApiResponse } from './request.ts';
import { toYaml } from './yaml.ts';

export type Answer =
  | { readonly type: 'object'; readonly status: number; readonly kind: Kind; readonly entry: Entry }
  | { readonly type: 'list'; readonly kind: Kind; readonly list: ListAnswer }
  /** Status, Scale, TokenRequest: answered as they are. */
  | { readonly type: 'value'; readonly status: number; readonly value: object }
  | { readonly type: 'response'; readonly response: ApiResponse };

/** Bodies above this are compressed for clients that can read it (feature 8-019). */
const GZIP_FROM = 128 * 1024;

export async function render(
  answer: Answer,
  media: MediaType,
  request: ApiRequest,
  now: number,
  warnings: readonly string[],
): Promise<ApiResponse> {
  if (answer.type === 'response') return withWarnings(answer.response, warnings);
  const status = answer.type === 'list' ? 200 : answer.status;
  return await compress(request, encode(request, status, textOf(answer, media, request, now), media.format, warnings));
}

export function renderError(error: ApiError, request: ApiRequest, warnings: readonly string[] = []): ApiResponse {
  const format = errorFormat(request.headers['accept']);
  const response = encode(request, error.code, JSON.stringify(ordered(error.status)), format, warnings);
  const retry = error.status.details?.retryAfterSeconds;
  if (retry !== undefined) response.headers['retry-after'] = String(retry);
  return response;
}

/** As asked for, where that can be given. */
function errorFormat(accept: string | undefined): MediaType['format'] {
  try {
    return chooseMediaType(accept).format;
  } catch {
    return 'json';
  }
}

/** In the order Kubernetes writes a Status (feature 8-089). */
function ordered({ kind, apiVersion, metadata, status, message, reason, details, code }: ApiError['status']): object {
  return { kind, apiVersion, metadata, status, message, reason, details, code };
}

function textOf(
  answer: Exclude<Answer, { type: 'response' }>,
  media: MediaType,
  request: ApiRequest,
  now: number,
): string | Buffer {
  if (answer.type === 'value') return JSON.stringify(answer.value);
  const { kind } = answer;
  if (media.as === 'Table') return JSON.stringify(tableOf(answer, media, request, now));
  if (media.as === 'PartialObjectMetadata' || media.as === 'PartialObjectMetadataList') {
    const apiVersion = `meta.k8s.io/${media.version ?? 'v1'}`;
    if (answer.type === 'object') return JSON.stringify({ ...partialMetadata(answer.entry.object), apiVersion });
    const items = answer.list.entries.map((entry) => ({ ...partialMetadata(entry.object), apiVersion }));
    const metadata = listMetadata(answer.list);
    return JSON.stringify({ kind: 'PartialObjectMetadataList', apiVersion, metadata, items });
  }
  if (answer.type === 'object') return objectJson(kind, answer.entry);
  return listJson(kind, answer.list);
}

/** What an item has more on the wire than in the store: its resourceVersion. */
const ITEM_EXTRA = 48;

function listJson(kind: Kind, list: ListAnswer): Buffer {
  const { entries } = list;
  const writer = new BytesWriter(1024 + entries.reduce((sum, { text }) => sum + text.length + ITEM_EXTRA, 0));
  const head = JSON.stringify({ kind: listKindOf(kind), apiVersion: apiVersionOf(kind) }).slice(0, -1);
  writer.write(`${head},"metadata":${JSON.stringify(listMetadata(list))},"items":[`);
  for (const [index, entry] of entries.entries()) {
    if (index > 0) writer.write(',');
    writer.write(itemJson(kind, entry));
  }
  writer.write(']}\n');
  return writer.bytes();
}

export function objectJson(kind: Kind, entry: Entry): string {
  return storedKind(kind) === kind ? entry.json : JSON.stringify(toVersion(entry.object, kind));
}

function itemJson(kind: Kind, entry: Entry): string {
  if (storedKind(kind) === kind) return entry.itemJson;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = toVersion(entry.object, kind);
  return JSON.stringify(rest);
}

function listMetadata({ revision, continue: token, remaining }: ListAnswer): List['metadata'] {
  return {
    resourceVersion: String(revision),
    ...(token !== '' && { continue: token }),
    ...(remaining !== undefined && { remainingItemCount: remaining }),
  };
}

function tableOf(
  answer: { kind: Kind } & ({ type: 'object'; entry: Entry } | { type: 'list'; list: ListAnswer }),
  { version = 'v1' }: MediaType,
  request: ApiRequest,
  now: number,
): object {
  const objects: KubeObject[] =
    answer.type === 'object' ? [answer.entry.object] : answer.list.entries.map((entry) => entry.object);
  const metadata = answer.type === 'list' ? listMetadata(answer.list) : undefined;
  const table = toTable(answer.kind, objects, now, includeObjectOf(request.query), metadata);
  return { ...table, apiVersion: `meta.k8s.io/${version}` };
}

/** Throws ApiError 422 for another value. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject') || 'Metadata';
  if (asked === 'None' || asked === 'Metadata' || asked === 'Object') return asked;
  const why = "must be 'Metadata', 'Object', 'None', or empty";
  throw invalidOption('TableOptions', invalid('includeObject', asked, why));
}

function encode(
  request: ApiRequest,
  status: number,
  json: string | Buffer,
  format: 'json' | 'yaml',
  warnings: readonly string[],
): ApiResponse {
  const headers: ApiResponse['headers'] = {
    'content-type': `application/${format}`,
    'cache-control': 'no-cache, private',
  };
  if (warnings.length > 0) headers['warning'] = warningValues(warnings);
  if (format === 'yaml') return { status, headers, body: toYaml(JSON.parse(json.toString())) };
  if (isPretty(request)) return { status, headers, body: Buffer.from(pretty(json.toString())) };
  return { status, headers, body: typeof json === 'string' ? Buffer.from(json) : json };
}

const zip = promisify(gzip);

/** In another thread: 5 MB hold one for some 50 ms. */
export async function compress(request: ApiRequest, response: ApiResponse): Promise<ApiResponse> {
  const { body } = response;
  if (!(body instanceof Uint8Array) || body.length < GZIP_FROM) return response;
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return response;
  // Level 1, as the reader is usually near: a third of the size for a tenth of the time of the default level.
  const headers = { ...response.headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' };
  return { ...response, headers, body: await zip(body, { level: 1 }) };
}

function pretty(json: string): string {
  return `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
}

/** By the query, else for people's tools (feature 8-018). */
function isPretty({ query, headers }: ApiRequest): boolean {
  const asked = query.get('pretty');
  if (asked !== null) return asked !== 'false' && asked !== '0';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}

function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response;
  return { ...response, headers: { ...response.headers, warning: warningValues(warnings) } };
}

/** Characters all warnings of an answer may have before they are cut short, and then each of them; more than that is left out. */
const MAX_WARNINGS = 4096;
const MAX_CUT = 256;

function warningValues(warnings: readonly string[]): string[] {
  const unique = [...new Set(warnings)];
  if (unique.reduce((sum, text) => sum + text.length, 0) <= MAX_WARNINGS) return unique.map(warningValue);
  return unique.slice(0, MAX_WARNINGS / MAX_CUT).map((text) => warningValue(text.slice(0, MAX_CUT)));
}

/** RFC 7234 warn-code 299; control characters would break the header. */
function warningValue(text: string): string {
  const safe = text.replace(/[\u0000-\u001f\u007f-\uffff]/g, ' ').replace(/(["\\])/g, '\\$1');
  return `299 - "${safe.slice(0, 1024)}"`;
}
