/** Lists: the newest state from memory, an exact or a continued one from the store's history (features 8-045, 8-055, 8-056). */
import type { ApiError } from '../api/api-error.ts';
import { badRequest, expired } from '../api/api-error.ts';
import type { Kind } from '../api/kinds.ts';
import { Compacted } from '../store/store.ts';
import type { Core } from './core.ts';
import { Entry } from './entry.ts';
import { prefixOf, storedKind } from './keys.ts';
import type { ListOptions } from './list-options.ts';

export interface ListAnswer {
  readonly entries: Entry[];
  readonly revision: number;
  /** Opaque; '' on the last page. */
  readonly continue: string;
  /** Undefined with selectors, as nobody counted. */
  readonly remaining: number | undefined;
}

/** Where the next page begins: behind `after`, in the state of `revision`; revision -1: in whatever state there is then. */
interface Position {
  readonly revision: number;
  readonly after: string;
}

const PAGE = 500;

/** Throws ApiError: 400, 410 Expired, 504. */
export async function listObjects(core: Core, kind: Kind, options: ListOptions): Promise<ListAnswer> {
  const { resourceVersion, match } = options;
  const prefix = prefixOf(kind) + (kind.namespaced && options.namespace !== undefined ? `${options.namespace}/` : '');
  if (options.continue !== '') {
    const position = decodePosition(options.continue);
    if (position.revision >= 0) {
      // A token that another server on the same store gave out may be ahead of what this one has seen.
      await core.cache.waitFor(position.revision);
      return await fromStore(core, kind, prefix, options, position);
    }
    await core.cache.catchUp();
    return fromCache(core, kind, prefix, options, `${prefix}${position.after}`);
  }
  if (match === 'Exact' && resourceVersion !== undefined) {
    await core.cache.waitFor(resourceVersion);
    return await fromStore(core, kind, prefix, options, { revision: resourceVersion, after: '' });
  }
  if (resourceVersion === undefined) await core.cache.catchUp();
  else await core.cache.waitFor(resourceVersion);
  return fromCache(core, kind, prefix, options);
}

function fromCache(core: Core, kind: Kind, prefix: string, options: ListOptions, after?: string): ListAnswer {
  const range = core.cache.of(kind).range(prefix, after);
  const all = kind.custom ? range.map((entry) => entry.as(kind)) : range;
  const { matches, limit } = options;
  const entries = matches ? all.filter((entry) => matches(entry.object)) : all;
  const { revision } = core.cache;
  if (limit === 0 || entries.length <= limit) return { entries, revision, continue: '', remaining: undefined };
  const page = entries.slice(0, limit);
  return {
    entries: page,
    revision,
    continue: encodePosition({ revision, after: page.at(-1)?.key.slice(prefix.length) ?? '' }),
    remaining: matches ? undefined : entries.length - limit,
  };
}

async function fromStore(
  core: Core,
  kind: Kind,
  prefix: string,
  options: ListOptions,
  position: Position,
): Promise<ListAnswer> {
  const { matches, limit } = options;
  const { revision } = position;
  const entries: Entry[] = [];
  let after = position.after === '' ? undefined : prefix + position.after;
  try {
    for (;;) {
      const page = await core.store.list(prefix, {
        limit: limit === 0 || matches ? PAGE : limit,
        atRevision: revision,
        ...(after !== undefined && { after }),
      });
      for (const [index, found] of page.entries.entries()) {
        const entry = new Entry(storedKind(kind), found.key, found.value, found.revision);
        if (matches && !matches(entry.object)) continue;
        entries.push(entry);
        if (limit === 0 || entries.length < limit) continue;
        const remaining = page.remaining + page.entries.length - index - 1;
        const next = encodePosition({ revision, after: found.key.slice(prefix.length) });
        return {
          entries,
          revision,
          continue: remaining > 0 ? next : '',
          remaining: matches || remaining === 0 ? undefined : remaining,
        };
      }
      after = page.entries.at(-1)?.key;
      if (page.remaining === 0 || after === undefined) return { entries, revision, continue: '', remaining: undefined };
    }
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
    throw options.continue === ''
      ? expired(`The resourceVersion for the provided list is too old: ${String(revision)} (${String(error.oldest)})`)
      : staleToken(position);
  }
}

/** Carries a token that goes on from the same place in the present state (feature 8-055). */
function staleToken({ after }: Position): ApiError {
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
      'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
      'deleted between the time the first chunk was returned and now may show up in the list.',
  );
  error.status.metadata['continue'] = encodePosition({ revision: -1, after });
  return error;
}

function encodePosition({ revision, after }: Position): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: after })).toString('base64url');
}

/** Throws BadRequest: tokens come back from outside. */
function decodePosition(token: string): Position {
  try {
    const text = Buffer.from(token, 'base64url').toString();
    const { v, rv, start } = JSON.parse(text) as { v?: unknown; rv?: unknown; start?: unknown };
    if (v === 'meta.k8s.io/v1' && typeof start === 'string' && start !== '' && Number.isSafeInteger(rv)) {
      const revision = rv as number;
      if (revision === -1 || revision > 0) return { revision, after: start };
    }
  } catch {
    // Not base64 of JSON: answered below like every other token that is not ours.
  }
  throw badRequest('continue key is not valid: it is not a token this server gave out');
}
