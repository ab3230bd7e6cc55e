/**
 * The API for parts that run in the server's own process: the same verbs without TLS, HTTP or a second copy of the objects.
 * What list and watch return is shared with the cache: never change it.
 */
import { ApiError, badRequest, notFound } from '../api/api-error.ts';
import { decodeObject } from '../api/decode.ts';
import { NAMESPACES, PODS, SERVICE_ACCOUNTS, type Kind } from '../api/kinds.ts';
import type { KubeObject, List, Namespace, WatchEvent } from '../api/types.ts';
import { fromVersion, toVersion } from '../api/versions/convert.ts';
import type { Client, DeleteOptions, ListOptions, PatchType, WatchOptions, WriteOptions } from '../client/client.ts';
import type { Core, WriteContext } from './core.ts';
import { createObject } from './create.ts';
import { deleteObject } from './delete.ts';
import type { Entry } from './entry.ts';
import { storedKind } from './keys.ts';
import { parseListOptions } from './list-options.ts';
import { listObjects } from './list.ts';
import { patchObject } from './patch.ts';
import { readObject } from './read.ts';
import type { User } from './request.ts';
import type { TokenIssuer } from './service-account-tokens.ts';
import { scaleObject } from './subresources/answer-scale.ts';
import { bindPod, evictPod, finalizeNamespace } from './subresources/answer.ts';
import type { Binding } from './subresources/binding.ts';
import type { Scale } from './subresources/scale.ts';
import { requestToken, type TokenRequest } from './subresources/token.ts';
import { updateObject } from './update.ts';
import { openWatch } from './watch.ts';

type LocalEvent<T extends KubeObject> = Exclude<WatchEvent<T>, { type: 'ERROR' }>;

export class LocalClient implements Client {
  readonly #core: Core;
  readonly #tokens: TokenIssuer;
  readonly #user: User;
  readonly #manager: string;

  /** `manager`: the name under which it owns what it writes. */
  constructor(core: Core, tokens: TokenIssuer, user: User, manager = 'kube-apiserver') {
    this.#core = core;
    this.#tokens = tokens;
    this.#user = user;
    this.#manager = manager;
  }

  /** The same client for a part that owns what it writes under a name of its own. */
  as(manager: string): LocalClient {
    return new LocalClient(this.#core, this.#tokens, this.#user, manager);
  }

  async get<T extends KubeObject>(asked: Kind<T>, name: string, namespace?: string): Promise<T> {
    const kind = this.#core.kinds.own(asked);
    return ownCopy(kind, await readObject(this.#core, kind, namespace, name));
  }

  async list<T extends KubeObject>(asked: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    const kind = this.#core.kinds.own(asked);
    const list = await listObjects(this.#core, kind, parseListOptions(kind, options.namespace, queryOf(options)));
    return {
      metadata: {
        resourceVersion: String(list.revision),
        ...(list.continue !== '' && { continue: list.continue }),
        ...(list.remaining !== undefined && { remainingItemCount: list.remaining }),
      },
      items: list.entries.map((entry) => objectOf(kind, entry)),
    };
  }

  async create<T extends KubeObject>(asked: Kind<T>, object: T, { subresource }: WriteOptions = {}): Promise<T> {
    const kind = this.#core.kinds.own(asked);
    const { name, namespace } = object.metadata;
    if (subresource !== undefined) {
      return (await this.#createUnder(kind, subresource, object, name, namespace)) as unknown as T;
    }
    const { object: own } = decodeObject(kind, object);
    const scope = kind.namespaced ? namespace : undefined;
    const entry = await createObject(this.#core, storedKind(kind), scope, fromVersion(own, kind), this.#context());
    return ownCopy(kind, entry);
  }

  async update<T extends KubeObject>(asked: Kind<T>, object: T, { subresource }: WriteOptions = {}): Promise<T> {
    const kind = this.#core.kinds.own(asked);
    const { name, namespace } = object.metadata;
    if (kind === (NAMESPACES as Kind) && subresource === 'finalize') {
      const wanted = object as unknown as Namespace;
      return ownCopy(kind, await finalizeNamespace(this.#core, name, wanted, this.#context(subresource)));
    }
    if (subresource === 'scale') {
      const scale = object as unknown as Scale;
      const scaled = await scaleObject(this.#core, kind, namespace, name, () => scale, this.#context(subresource));
      return scaled as unknown as T;
    }
    const through = throughOf(subresource);
    const wanted = JSON.stringify(fromVersion(decodeObject(kind, object).object, kind));
    const apply = () => JSON.parse(wanted) as KubeObject;
    const change = { through, apply };
    const context = this.#context(subresource);
    const { entry } = await updateObject(this.#core, storedKind(kind), namespace, name, change, context);
    return ownCopy(kind, entry);
  }

  async patch<T extends KubeObject>(
    given: Kind<T>,
    name: string,
    namespace: string | undefined,
    type: PatchType,
    patch: unknown,
    { subresource }: WriteOptions = {},
  ): Promise<T> {
    const kind = this.#core.kinds.own(given);
    const context = this.#context(subresource);
    const text = JSON.stringify(patch);
    const asked = () => ({ type, value: JSON.parse(text) as unknown, validation: 'Ignore' as const });
    const apply = (current: KubeObject | undefined): KubeObject => {
      if (!current) throw notFound(kind, name);
      const base = toVersion(current, kind);
      return fromVersion(patchObject(kind as Kind, base, asked(), context.warnings), kind, current);
    };
    const change = { through: throughOf(subresource), apply };
    const { entry } = await updateObject(this.#core, storedKind(kind), namespace, name, change, context);
    return ownCopy(kind, entry);
  }

  async delete(asked: Kind, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    const kind = this.#core.kinds.own(asked);
    await deleteObject(this.#core, storedKind(kind), namespace, name, options, this.#context());
  }

  async *watch<T extends KubeObject>(asked: Kind<T>, options: WatchOptions = {}): AsyncGenerator<LocalEvent<T>, void> {
    const kind = this.#core.kinds.own(asked);
    const { signal } = options;
    const events: LocalEvent<T>[] = [];
    let wake: (() => void) | undefined;
    let failure: { error: unknown } | undefined;
    // Behind calls, as the compiler takes what only callbacks set for constant.
    const failed = (): typeof failure => failure;
    const push = (event: LocalEvent<T>): void => {
      events.push(event);
      wake?.();
    };
    const parsed = parseListOptions(kind, options.namespace, queryOf(options), { watch: true });
    const open = await openWatch(this.#core, kind, parsed, {
      onEvent: (type, entry) => {
        push({ type, object: objectOf(kind, entry) });
      },
      onBookmark: (revision) => {
        push({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(revision) } } as T });
      },
      onFailure: (error) => {
        failure = { error };
        wake?.();
      },
    });
    let over = signal?.aborted === true;
    const stop = (): void => {
      over = true;
      wake?.();
    };
    const isOver = (): boolean => over;
    signal?.addEventListener('abort', stop);
    const deadline = options.timeoutSeconds === undefined ? undefined : setTimeout(stop, options.timeoutSeconds * 1000);
    try {
      while (!isOver()) {
        if (events.length > MAX_BEHIND) throw tooSlow(kind);
        const broken = events.length === 0 ? failed() : undefined;
        if (broken) throw broken.error;
        // Taken out in one go: shifting one by one would cost the square of a burst.
        for (const event of events.splice(0)) {
          if (isOver()) return;
          yield event;
        }
        if (events.length > 0 || isOver() || failed()) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', stop);
      open.close();
    }
  }

  #context(subresource?: WriteOptions['subresource']): WriteContext {
    const who = { user: this.#user, manager: this.#manager };
    return { ...who, dryRun: false, warnings: [], ...(subresource && { subresource }) };
  }

  async #createUnder(
    kind: Kind,
    subresource: NonNullable<WriteOptions['subresource']>,
    object: KubeObject,
    name: string,
    namespace: string | undefined,
  ): Promise<KubeObject> {
    if (kind === (PODS as Kind) && subresource === 'binding') {
      await bindPod(this.#core, namespace, name, object as Binding, this.#context());
      return object;
    }
    if (kind === (PODS as Kind) && subresource === 'eviction') {
      await evictPod(this.#core, namespace ?? '', name, {}, this.#context());
      return object;
    }
    if (kind === (SERVICE_ACCOUNTS as Kind) && subresource === 'token') {
      return await requestToken(this.#core, this.#tokens, namespace ?? '', name, object as TokenRequest);
    }
    throw badRequest(`${kind.plural} has no subresource ${subresource} to create`);
  }
}

/** Events a reader may leave lying before it is cut off and has to list again. */
const MAX_BEHIND = 100_000;

function tooSlow(kind: Kind): ApiError {
  return new ApiError({ code: 410, reason: 'Expired', message: `the watch of ${kind.plural} fell too far behind` });
}

function objectOf<T extends KubeObject>(kind: Kind<T>, entry: Entry): T {
  return toVersion(entry.object, kind) as T;
}

/** What a caller may change and send back, as it could with an answer that came over the wire. */
function ownCopy<T extends KubeObject>(kind: Kind<T>, entry: Entry): T {
  return toVersion(entry.copy(), kind) as T;
}

function throughOf(subresource: WriteOptions['subresource']): 'main' | 'status' {
  if (subresource === undefined) return 'main';
  if (subresource === 'status') return 'status';
  throw badRequest(`the subresource ${subresource} is not changed this way`);
}

function queryOf(options: ListOptions & WatchOptions): URLSearchParams {
  const query = new URLSearchParams();
  const set = (name: string, value: string | number | boolean | undefined) => {
    if (value !== undefined) query.set(name, String(value));
  };
  set('labelSelector', options.labelSelector);
  set('fieldSelector', options.fieldSelector);
  set('limit', options.limit);
  set('continue', options.continue);
  set('resourceVersion', options.resourceVersion);
  set('allowWatchBookmarks', options.allowWatchBookmarks);
  return query;
}
