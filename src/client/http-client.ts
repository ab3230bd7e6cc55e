/**
 * The Client over HTTP(S) and JSON: works with Fairway's API server and with any other Kubernetes one. Objects of a list get their
 * apiVersion and kind, which Kubernetes leaves out there, so an object is the same wherever it came from.
 */
import { ApiError } from '../api/api-error.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { KubeObject, List, Status, WatchEvent } from '../api/types.ts';
import type { Client, DeleteOptions, ListOptions, PatchType, WatchOptions, WriteOptions } from './client.ts';
import { readLines, readText } from './lines.ts';
import { collectionPath, listQuery, objectPath } from './paths.ts';
import { createConnection, type Connection, type ConnectionConfig, type RawResponse } from './raw-request.ts';

export type { ConnectionConfig, RawOptions, RawResponse } from './raw-request.ts';

/** Besides the Client: any request at all, for logs, health and what else is no object. `close` ends kept connections. */
export type HttpClient = Client & Connection;

const KIB = 1024;
/** Bounds of what is taken into memory. An object has at most 3 MiB (8-076), a page of a list far less than this. */
const LIMITS = { answer: 256 * KIB * KIB, line: 16 * KIB * KIB, error: 256 * KIB };

const PATCH_TYPES: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

export function createHttpClient(config: ConnectionConfig): HttpClient {
  return new JsonClient(createConnection(config));
}

class JsonClient implements HttpClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  raw: Connection['raw'] = (method, path, options) => this.#connection.raw(method, path, options);

  close(): void {
    this.#connection.close();
  }

  async get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): Promise<T> {
    return (await this.#call('GET', objectPath(kind, name, namespace))) as T;
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    const list = (await this.#call('GET', collectionPath(kind, options.namespace) + listQuery(options))) as List<T>;
    // `items` is null in what some servers send for an empty list.
    const items = (list.items as T[] | null) ?? [];
    const type = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    return { ...list, items: items.map((item) => ({ ...item, ...type })) };
  }

  async create<T extends KubeObject>(kind: Kind<T>, object: T, { subresource }: WriteOptions = {}): Promise<T> {
    const { name, namespace } = object.metadata;
    const path = subresource ? objectPath(kind, name, namespace, subresource) : collectionPath(kind, namespace);
    return (await this.#call('POST', path, typed(kind, object))) as T;
  }

  async update<T extends KubeObject>(kind: Kind<T>, object: T, { subresource }: WriteOptions = {}): Promise<T> {
    const { name, namespace } = object.metadata;
    return (await this.#call('PUT', objectPath(kind, name, namespace, subresource), typed(kind, object))) as T;
  }

  async patch<T extends KubeObject>(
    kind: Kind<T>,
    name: string,
    namespace: string | undefined,
    type: PatchType,
    patch: unknown,
    { subresource }: WriteOptions = {},
  ): Promise<T> {
    return (await this.#call('PATCH', objectPath(kind, name, namespace, subresource), patch, PATCH_TYPES[type])) as T;
  }

  async delete(kind: Kind, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
    await this.#call('DELETE', objectPath(kind, name, namespace), body);
  }

  async *watch<T extends KubeObject>(
    kind: Kind<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<Exclude<WatchEvent<T>, { type: 'ERROR' }>> {
    const { signal } = options;
    const path = collectionPath(kind, options.namespace) + listQuery(options, true);
    try {
      const response = await this.#ask('GET', path, { streaming: true, ...(signal && { signal }) });
      for await (const line of readLines(response.stream, LIMITS.line)) {
        if (line.trim() === '') continue;
        const event = parseJson(line, `GET ${path}`) as WatchEvent<T>;
        if (event.type === 'ERROR') throw new ApiError(event.object);
        yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof ApiError ? error : named(`GET ${path}`, error);
    }
  }

  async #call(method: string, path: string, body?: unknown, type = 'application/json'): Promise<unknown> {
    const content = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': type } };
    const response = await this.#ask(method, path, content);
    try {
      return parseJson(await readText(response.stream, LIMITS.answer), `${method} ${path}`);
    } catch (error) {
      throw named(`${method} ${path}`, error);
    }
  }

  /** The answer, when it is a good one. @throws ApiError for any other status. */
  async #ask(method: string, path: string, options: Parameters<Connection['raw']>[2] = {}): Promise<RawResponse> {
    const headers = { accept: 'application/json', ...options.headers };
    const response = await this.#connection.raw(method, path, { ...options, headers });
    if (response.status >= 200 && response.status < 300) return response;
    throw await toApiError(response);
  }
}

const typed = <T extends KubeObject>(kind: Kind<T>, object: T): T => ({
  ...object,
  apiVersion: object.apiVersion ?? apiVersionOf(kind),
  kind: object.kind ?? kind.kind,
});

/** Errors on the way say which request they belong to; those of the connection do so already. */
function named(request: string, error: unknown): Error {
  if (error instanceof Error && error.message.startsWith(request.slice(0, request.indexOf(' ') + 1))) return error;
  return new Error(`${request}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

function parseJson(text: string, request: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${request}: the answer is not JSON`, { cause: error });
  }
}

/** Proxies and broken servers answer with something else than a Status: then the code and the start of the text must do. */
async function toApiError({ status: code, stream }: RawResponse): Promise<ApiError> {
  let text: string;
  try {
    text = await readText(stream, LIMITS.error);
  } catch {
    stream.destroy();
    text = '';
  }
  try {
    const status = JSON.parse(text) as Partial<Status>;
    if (status.kind === 'Status') return new ApiError({ ...status, code });
  } catch {
    // Not a Status.
  }
  const start = text.trim().slice(0, 200);
  return new ApiError({
    code,
    reason: reasonOf(code),
    message: start === '' ? `the server answered ${String(code)}` : start,
  });
}

function reasonOf(code: number): string {
  const reasons: Record<number, string> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    410: 'Expired',
    429: 'TooManyRequests',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  };
  return reasons[code] ?? (code >= 500 ? 'InternalError' : 'Unknown');
}
