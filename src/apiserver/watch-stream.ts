/** A watch as a stream of JSON lines (features 8-022, 8-048, 8-050, 8-052). Plain lines are encoded once and shared by all readers. */
import { apiVersionOf, storedKind, type Kind } from '../api/kinds.ts';
import { partialMetadata, toTable } from '../api/table.ts';
import { toVersion } from '../api/versions/convert.ts';
import { realClock } from '../lib/clock.ts';
import type { Core } from './core.ts';
import type { Entry } from './entry.ts';
import type { ListOptions } from './list-options.ts';
import { notAcceptable, type MediaType } from './media-types.ts';
import type { ApiRequest, ApiResponse, BodyStream, Sink } from './request.ts';
import { includeObjectOf } from './respond.ts';
import { openWatch, type EventType, type OpenWatch, type WatchReader } from './watch.ts';

/** Bytes a reader may be behind, not counting the initial state, before it is cut off and has to list again. */
const MAX_BEHIND = 8 * 1024 * 1024;
/** Seconds; a watch without its own timeout ends between one and two of these (feature 8-052). */
const MIN_TIMEOUT = 1800;

type Line = (type: EventType, entry: Entry) => Buffer;

/** Throws what `openWatch` throws, before anything is sent. */
export async function watchResponse(
  core: Core,
  kind: Kind,
  options: ListOptions,
  media: MediaType,
  request: ApiRequest,
): Promise<ApiResponse> {
  // A stream of documents has no end that a reader could tell.
  if (media.format === 'yaml') throw notAcceptable('application/json');
  const buffer = new EarlySink();
  const line = lineOf(core, kind, media, request);
  const reader: WatchReader = {
    onEvent(type, entry) {
      buffer.write(line(type, entry));
    },
    onBookmark(revision, initialEnd) {
      buffer.write(bookmarkLine(kind, media, revision, initialEnd));
    },
    onFailure() {
      buffer.fail();
    },
  };
  const open = await openWatch(core, kind, options, reader);
  buffer.started();
  const seconds = options.timeoutSeconds || MIN_TIMEOUT + core.random(MIN_TIMEOUT);
  const body: BodyStream = { start: (sink) => pump(buffer, open, sink, seconds, options.bookmarks && reader, core) };
  return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }, body };
}

function pump(
  buffer: EarlySink,
  open: OpenWatch,
  sink: Sink,
  seconds: number,
  bookmarks: WatchReader | false,
  core: Core,
): () => void {
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    cancelTimer();
    open.close();
  };
  const end = (): void => {
    // A last bookmark spares the reader who comes back from hearing old news (feature 8-050).
    if (bookmarks) bookmarks.onBookmark(core.cache.revision, false);
    close();
    sink.end();
  };
  const cancelTimer = realClock.after(seconds * 1000, end, true);
  buffer.connect(sink, () => {
    close();
    // An orderly end would wait behind what the reader does not take, and keep all of it in memory.
    if (sink.abort) sink.abort();
    else sink.end();
  });
  return close;
}

/** Takes lines before the socket is there, then hands everything on and keeps an eye on how far the reader is behind. */
class EarlySink {
  #early: Buffer[] = [];
  #initial = 0;
  #size = 0;
  #sink: Sink | undefined;
  #drop: (() => void) | undefined;
  #failed = false;

  write(chunk: Buffer): void {
    if (!this.#sink) {
      this.#early.push(chunk);
      this.#size += chunk.length;
      return;
    }
    this.#sink.write(chunk);
    if (this.#sink.pending() > MAX_BEHIND + this.#initial) this.#drop?.();
  }

  /** Ends it, at once or as soon as there is something to end. */
  fail(): void {
    this.#failed = true;
    this.#drop?.();
  }

  /** All until now was the initial state, which a reader cannot help being behind of. */
  started(): void {
    this.#initial = this.#size;
  }

  connect(sink: Sink, drop: () => void): void {
    this.#sink = sink;
    this.#drop = drop;
    if (this.#early.length > 0)
      sink.write(this.#early.length === 1 ? (this.#early[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#early));
    this.#early = [];
    if (this.#failed) drop();
  }
}

function lineOf(core: Core, kind: Kind, media: MediaType, request: ApiRequest): Line {
  const encode = (type: EventType, object: object) => Buffer.from(`${JSON.stringify({ type, object })}\n`);
  if (media.as === 'Table') {
    const include = includeObjectOf(request.query);
    let first = true;
    return (type, entry) => {
      const table = { ...toTable(kind, [entry.object], core.clock.now(), include), apiVersion: tableVersion(media) };
      // Columns come once, with the first event (feature 8-022).
      if (!first) table.columnDefinitions = [];
      first = false;
      return encode(type, table);
    };
  }
  if (media.as !== undefined) {
    const apiVersion = tableVersion(media);
    return (type, entry) => encode(type, { ...partialMetadata(entry.object), apiVersion });
  }
  if (storedKind(kind) === kind) return (type, entry) => entry.watchLine(type);
  return (type, entry) => encode(type, toVersion(entry.object, kind));
}

const tableVersion = ({ version = 'v1' }: MediaType) => `meta.k8s.io/${version}` as 'meta.k8s.io/v1';

function bookmarkLine(kind: Kind, media: MediaType, revision: number, initialEnd: boolean): Buffer {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
  const plain = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
  const object =
    media.as === 'Table'
      ? {
          kind: 'Table',
          apiVersion: tableVersion(media),
          metadata: { resourceVersion: String(revision) },
          columnDefinitions: [],
          rows: [{ cells: [], object: { ...plain, kind: 'PartialObjectMetadata', apiVersion: tableVersion(media) } }],
        }
      : media.as === undefined
        ? plain
        : { ...plain, kind: 'PartialObjectMetadata', apiVersion: tableVersion(media) };
  return Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
}
