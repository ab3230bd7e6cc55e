/**
 * An API server small enough to sit in a test: resource versions, conflicts, finalizers, grace periods, selectors, list and watch
 * behave as in the real one; validation, defaults and allocation are left out. What it hands out by list and watch is frozen, so a
 * component that changes shared objects fails its tests.
 */
import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, badRequest, conflict, expired, notFound } from '../api/api-error.ts';
import { apiVersionOf, kindByApiVersion, NAMESPACES, PODS, type Kind } from '../api/kinds.ts';
import type { KubeObject, List, Pod, WatchEvent } from '../api/types.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Client, DeleteOptions, ListOptions, PatchType, WatchOptions, WriteOptions } from './client.ts';
import { applyPatch, deepFreeze, isGone, markDeleted, matcher } from './fake-objects.ts';
import { prepareForCreate, prepareForUpdate, prepareNamespace } from './fake-objects.ts';

export type FakeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** One call that asked for a change, in the order made: `create pods web-1`, with the body as it was sent. */
export interface FakeAction {
  readonly verb: FakeVerb;
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
  readonly body?: unknown;
}

interface Change {
  readonly version: number;
  readonly collection: string;
  readonly object: KubeObject;
  readonly deleted: boolean;
  readonly previous: KubeObject | undefined;
}

type Event<T extends KubeObject> = Exclude<WatchEvent<T>, { type: 'ERROR' }>;
const collectionOf = (kind: Kind): string => `${kind.group}/${(kind.storedAs ?? kind).plural}`;

export class FakeClient implements Client {
  /** Writes so far. A test may empty it (`actions.length = 0`). */
  readonly actions: FakeAction[] = [];
  readonly #clock: Clock;
  readonly #collections = new Map<string, Map<string, KubeObject>>();
  #history: Change[] = [];
  #version = 0;
  #oldest = 0;
  #serial = 0;
  #failures: { verb: FakeVerb; kind: Kind | undefined; error: Error }[] = [];
  readonly #lost = new Map<string, number>();
  #watches = new Set<{ wake: () => void; end: Error | true | undefined; bookmark: boolean }>();

  /** Objects need apiVersion and kind; they are kept as they are, status included. */
  constructor(objects: readonly KubeObject[] = [], clock: Clock = realClock) {
    this.#clock = clock;
    for (const object of objects) this.seed(object);
  }

  /** Puts an object there as if it had always been, or replaces it: no action is recorded, watches see it. */
  seed<T extends KubeObject>(object: T): T {
    const kind = kindByApiVersion(object.apiVersion ?? '', object.kind ?? '');
    if (!kind) throw new Error(`seed: unknown kind ${String(object.apiVersion)} ${String(object.kind)}`);
    const prepared = prepareForCreate(kind, object, ++this.#serial, this.#clock.now());
    const old = this.#collection(kind).get(keyOf(kind, prepared));
    if (old) Object.assign(prepared.metadata, { uid: object.metadata.uid ?? old.metadata.uid });
    return this.#store(kind, prepared) as T;
  }

  /** The next call of `verb` (for `kind`, where given) throws `error`, and does nothing. */
  failNext(verb: FakeVerb, error: Error, kind?: Kind): void {
    this.#failures.push({ verb, kind, error });
  }

  /** The next `count` changes of `kind` are made and no watch ever tells them, nor that anything is missing. */
  loseEvents(kind: Kind, count = 1): void {
    const id = collectionOf(kind);
    this.#lost.set(id, (this.#lost.get(id) ?? 0) + count);
  }

  /** Ends all running watches: quietly, or by throwing `error`. */
  breakWatches(error?: Error): void {
    for (const watch of this.#watches) {
      watch.end = error ?? true;
      watch.wake();
    }
  }

  /** Forgets the past: a watch from before now throws 410. */
  expireHistory(): void {
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Sends a bookmark on every watch that allows them. */
  bookmark(): void {
    for (const watch of this.#watches) {
      watch.bookmark = true;
      watch.wake();
    }
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** All objects of a kind, frozen, without a call. */
  all<T extends KubeObject>(kind: Kind<T>): T[] {
    return [...this.#collection(kind).values()] as T[];
  }

  async get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): Promise<T> {
    await this.#enter('get', kind);
    return structuredClone(this.#find(kind, name, namespace)) as T;
  }

  async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    await this.#enter('list', kind);
    const matches = matcher(options.labelSelector, options.fieldSelector);
    const found = this.all(kind)
      .filter((object) => inNamespace(kind, object, options.namespace) && matches(object))
      .sort((a, b) => (keyOf(kind, a) < keyOf(kind, b) ? -1 : 1))
      .filter((object) => options.continue === undefined || keyOf(kind, object) > options.continue);
    const items = found.slice(0, options.limit);
    const last = items.at(-1);
    const metadata = {
      resourceVersion: String(this.#version),
      ...(last && items.length < found.length && { continue: keyOf(kind, last) }),
      // With selectors the real one does not count.
      ...(last &&
        items.length < found.length &&
        options.labelSelector === undefined &&
        options.fieldSelector === undefined && { remainingItemCount: found.length - items.length }),
    };
    return { apiVersion: apiVersionOf(kind), kind: `${kind.kind}List`, metadata, items };
  }

  async create<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { name, namespace } = object.metadata;
    await this.#enter('create', kind, { name, namespace, subresource: options.subresource, body: object });
    if (options.subresource) return this.#createSub(kind, object, options.subresource) as T;
    const prepared = prepareForCreate(kind, object, ++this.#serial, this.#clock.now());
    if (kind.namespaced && !namespace) throw badRequest('an empty namespace may not be set during creation');
    if (this.#collection(kind).has(keyOf(kind, prepared))) throw alreadyExists(kind, prepared.metadata.name);
    const complete = kind === (NAMESPACES as Kind) ? prepareNamespace(prepared) : prepared;
    return structuredClone(this.#store(kind, complete)) as T;
  }

  async update<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { name, namespace } = object.metadata;
    await this.#enter('update', kind, { name, namespace, subresource: options.subresource, body: object });
    return this.#replace(kind, this.#find(kind, name, namespace), object, options) as T;
  }

  async patch<T extends KubeObject>(
    kind: Kind<T>,
    name: string,
    namespace: string | undefined,
    type: PatchType,
    patch: unknown,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#enter('patch', kind, { name, namespace, subresource: options.subresource, body: patch });
    const old = this.#find(kind, name, namespace);
    return this.#replace(kind, old, applyPatch(kind, old, type, patch), options) as T;
  }

  async delete(kind: Kind, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    await this.#enter('delete', kind, { name, namespace, body: options });
    this.#remove(kind, this.#find(kind, name, namespace), options);
  }

  async *watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions = {}): AsyncGenerator<Event<T>> {
    await this.#enter('watch', kind);
    const selects = matcher(options.labelSelector, options.fieldSelector);
    const matches = (object: KubeObject) => inNamespace(kind, object, options.namespace) && selects(object);
    const fresh = options.resourceVersion === undefined || options.resourceVersion === '0';
    let seen = fresh ? this.#version : Number(options.resourceVersion);
    if (seen < this.#oldest) throw expired(`too old resource version: ${String(seen)} (${String(this.#oldest)})`);
    const present = fresh ? this.all(kind).filter(matches) : [];
    const self: { wake: () => void; end: Error | true | undefined; bookmark: boolean } = {
      wake: () => {},
      end: undefined,
      bookmark: false,
    };
    const onAbort = () => {
      self.end = true;
      self.wake();
    };
    this.#watches.add(self);
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted) self.end = true;
    try {
      for (const object of present) yield { type: 'ADDED', object };
      for (;;) {
        if (self.end instanceof Error) throw self.end;
        if (self.end) return;
        const next = this.#history.find((change) => change.version > seen);
        if (next) {
          seen = next.version;
          const event = next.collection === collectionOf(kind) ? toEvent(next, matches) : undefined;
          if (event) yield event as Event<T>;
        } else if (self.bookmark) {
          self.bookmark = false;
          if (options.allowWatchBookmarks) yield { type: 'BOOKMARK', object: bookmarkOf(kind, this.#version) as T };
        } else await new Promise<void>((resolve) => (self.wake = resolve));
      }
    } finally {
      this.#watches.delete(self);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Every call goes through here: takes a turn, as a network would, records writes, fails where told. */
  async #enter(verb: FakeVerb, kind: Kind, write?: Omit<FakeAction, 'verb' | 'kind'>): Promise<void> {
    await Promise.resolve();
    if (write) this.actions.push({ verb, kind, ...write });
    const at = this.#failures.findIndex((failure) => failure.verb === verb && (failure.kind ?? kind) === kind);
    const [failure] = at < 0 ? [] : this.#failures.splice(at, 1);
    if (failure) throw failure.error;
  }

  #collection(kind: Kind): Map<string, KubeObject> {
    const id = collectionOf(kind);
    const found = this.#collections.get(id) ?? new Map<string, KubeObject>();
    this.#collections.set(id, found);
    return found;
  }

  #find(kind: Kind, name: string, namespace: string | undefined): KubeObject {
    const object = this.#collection(kind).get(kind.namespaced ? `${namespace ?? ''}/${name}` : name);
    if (!object) throw notFound(kind, name);
    return object;
  }

  #store(kind: Kind, object: KubeObject, deleted = false): KubeObject {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const stored = deepFreeze(structuredClone({ ...object, metadata }));
    const collection = this.#collection(kind);
    const previous = collection.get(keyOf(kind, stored));
    if (deleted) collection.delete(keyOf(kind, stored));
    else collection.set(keyOf(kind, stored), stored);
    const lost = this.#lost.get(collectionOf(kind)) ?? 0;
    if (lost > 0) this.#lost.set(collectionOf(kind), lost - 1);
    else
      this.#history.push({ version: this.#version, collection: collectionOf(kind), object: stored, deleted, previous });
    for (const watch of this.#watches) watch.wake();
    return stored;
  }

  #replace(kind: Kind, old: KubeObject, given: KubeObject, { subresource }: WriteOptions): KubeObject {
    const { name, resourceVersion, uid } = given.metadata;
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) throw conflict(kind, name);
    if (uid !== undefined && uid !== old.metadata.uid) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${String(old.metadata.uid)}`,
      );
    }
    const next = prepareForUpdate(kind, old, scaled(old, given, subresource), subresource);
    next.metadata.resourceVersion = old.metadata.resourceVersion ?? '';
    if (isDeepStrictEqual(next, old)) return structuredClone(old);
    return structuredClone(this.#store(kind, next, isGone(kind, next)));
  }

  #remove(kind: Kind, old: KubeObject, options: DeleteOptions): void {
    const { uid, resourceVersion } = options.preconditions ?? {};
    if ((uid ?? old.metadata.uid) !== old.metadata.uid) throw conflict(kind, old.metadata.name);
    if ((resourceVersion ?? old.metadata.resourceVersion) !== old.metadata.resourceVersion) {
      throw conflict(kind, old.metadata.name);
    }
    const marked = markDeleted(kind, old, options, this.#clock.now());
    if (isGone(kind, marked)) this.#store(kind, old, true);
    else if (!isDeepStrictEqual(marked, old)) this.#store(kind, marked);
  }

  #createSub(kind: Kind, object: KubeObject, subresource: string): KubeObject {
    const { name, namespace } = object.metadata;
    if (subresource === 'token') return { ...object, status: { token: `fake-token-for-${name}` } } as KubeObject;
    const pod = this.#find(PODS, name, namespace) as Pod;
    if (subresource === 'eviction') this.#remove(kind, pod, {});
    else if (subresource === 'binding') {
      const { target } = object as KubeObject & { target?: { name?: string } };
      if (pod.spec.nodeName) {
        throw conflict(PODS, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
      }
      this.#store(PODS, { ...pod, spec: { ...pod.spec, nodeName: target?.name ?? '' } } as KubeObject);
    } else throw badRequest(`the fake has no create for subresource ${subresource}`);
    return object;
  }
}

const keyOf = (kind: Kind, { metadata }: KubeObject): string =>
  kind.namespaced ? `${metadata.namespace ?? ''}/${metadata.name}` : metadata.name;

const inNamespace = (kind: Kind, object: KubeObject, namespace: string | undefined): boolean =>
  !kind.namespaced || namespace === undefined || object.metadata.namespace === namespace;

const bookmarkOf = (kind: Kind, version: number) => ({
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
  metadata: { name: '', resourceVersion: String(version) },
});

/** An object that starts or stops matching the selectors is ADDED or DELETED for that watch, whatever was written. */
function toEvent(change: Change, matches: (object: KubeObject) => boolean): Event<KubeObject> | undefined {
  const before = change.previous !== undefined && matches(change.previous);
  const after = !change.deleted && matches(change.object);
  if (!before && !after) return undefined;
  return { type: before ? (after ? 'MODIFIED' : 'DELETED') : 'ADDED', object: change.object };
}

/** A Scale carries only the number: everything else is the object's own. */
function scaled(old: KubeObject, given: KubeObject, subresource: string | undefined): KubeObject {
  if (subresource !== 'scale') return given;
  const { spec } = old as KubeObject & { spec?: object };
  const { replicas } = (given as KubeObject & { spec?: { replicas?: number } }).spec ?? {};
  return { ...old, spec: { ...spec, replicas: replicas ?? 0 } } as KubeObject;
}
