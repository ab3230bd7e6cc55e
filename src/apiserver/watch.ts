/**
 * Watches: first what the reader asked to see of the past or the present, then every change in order, none skipped, none twice
 * (features 8-047 to 8-054). Reading the start and beginning to listen happen in one step of the event loop, so nothing falls between.
 */
import { expired } from '../api/api-error.ts';
import type { Kind } from '../api/kinds.ts';
import type { Core } from './core.ts';
import type { Entry } from './entry.ts';
import type { CacheEvent } from './kind-cache.ts';
import { prefixOf } from './keys.ts';
import type { ListOptions } from './list-options.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchReader {
  onEvent(type: EventType, entry: Entry): void;
  /** Everything up to `revision` has been told. `initialEnd`: the present state is complete (feature 8-051). */
  onBookmark(revision: number, initialEnd: boolean): void;
  /** An event could not be told: there will be no more, and the reader has to begin again. */
  onFailure(error: unknown): void;
}

export interface OpenWatch {
  close(): void;
}

/** Milliseconds between bookmarks to one reader (feature 8-050). */
const BOOKMARK_PERIOD = 60_000;

/** Throws Expired (410) when changes after the asked revision are no longer known, Timeout (504) for one not reached yet. */
export async function openWatch(core: Core, kind: Kind, options: ListOptions, reader: WatchReader): Promise<OpenWatch> {
  const { resourceVersion } = options;
  if (resourceVersion === undefined) await core.cache.catchUp();
  else await core.cache.waitFor(resourceVersion);
  const cache = core.cache.of(kind);
  const prefix = prefixOf(kind) + (kind.namespaced && options.namespace !== undefined ? `${options.namespace}/` : '');
  const matches = options.matches;
  const wants = (entry: Entry | undefined): boolean => entry !== undefined && (!matches || matches(entry.object));
  const tell = (event: CacheEvent): void => {
    if (!event.entry.key.startsWith(prefix)) return;
    const told = transition(event, wants);
    if (told) reader.onEvent(told.type, told.entry.as(kind));
  };
  if (options.sendInitialEvents ?? !resourceVersion) {
    for (const entry of cache.range(prefix)) if (wants(entry)) reader.onEvent('ADDED', entry.as(kind));
  } else if (resourceVersion) for (const event of cache.since(resourceVersion)) tell(event);
  if (options.sendInitialEvents && options.bookmarks) reader.onBookmark(core.cache.revision, true);
  // One reader's trouble with one object must not reach the others, or the cache itself.
  const listener = (event: CacheEvent): void => {
    try {
      tell(event);
    } catch (error) {
      core.log.error({ err: error, key: event.entry.key }, 'a watch event could not be told');
      close();
      reader.onFailure(error);
    }
  };
  cache.listeners.add(listener);
  const end = (): void => {
    close();
    reader.onFailure(expired(`too old resource version: the changes before ${String(cache.floor + 1)} are gone`));
  };
  cache.ends.add(end);
  const timer = options.bookmarks
    ? setInterval(() => {
        reader.onBookmark(core.cache.revision, false);
      }, BOOKMARK_PERIOD)
    : undefined;
  timer?.unref();
  const close = (): void => {
    clearInterval(timer);
    cache.listeners.delete(listener);
    cache.ends.delete(end);
  };
  return { close };
}

/** What a change looks like to somebody who sees only part of the objects (feature 8-053). */
function transition(
  { type, entry, previous, revision }: CacheEvent,
  wants: (entry: Entry | undefined) => boolean,
): { type: EventType; entry: Entry } | undefined {
  const was = wants(previous);
  if (type === 'delete') return was ? { type: 'DELETED', entry } : undefined;
  const is = wants(entry);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', entry };
  return was && previous ? { type: 'DELETED', entry: previous.at(revision) } : undefined;
}
