/**
 * What every part of Fairway sees of the API: one small interface, whether the server is across TLS or in the same process.
 * Every method throws ApiError when the API says no, and an Error with `cause` when it could not be asked.
 */
import type { Kind } from '../api/kinds.ts';
import type { KubeObject, List, WatchEvent } from '../api/types.ts';

export interface ListOptions {
  /** All namespaces where absent. Ignored for cluster-scoped kinds. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
}

export interface WatchOptions extends Omit<ListOptions, 'limit' | 'continue'> {
  /** Ends the watch: the iteration then ends quietly. */
  signal?: AbortSignal;
  allowWatchBookmarks?: boolean;
  timeoutSeconds?: number;
}

export interface WriteOptions {
  subresource?: 'status' | 'scale' | 'binding' | 'eviction' | 'finalize' | 'token';
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
}

export type PatchType = 'json' | 'merge' | 'strategic';

export interface Client {
  get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): Promise<T>;
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<List<T>>;
  /** The namespace is the object's own. */
  create<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  /** With metadata.resourceVersion set, a stale one throws Conflict. */
  update<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    kind: Kind<T>,
    name: string,
    namespace: string | undefined,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions,
  ): Promise<T>;
  delete(kind: Kind, name: string, namespace?: string, options?: DeleteOptions): Promise<void>;
  /**
   * Events after `resourceVersion` (or from the present state, as ADDED, where it is absent). Ends when the server ends it.
   * Throws ApiError with code 410 when the version is too old; an ERROR event is thrown, not yielded.
   */
  watch<T extends KubeObject>(
    kind: Kind<T>,
    options?: WatchOptions,
  ): AsyncIterable<Exclude<WatchEvent<T>, { type: 'ERROR' }>>;
}

/**
 * A kept-up-to-date local copy of one kind: list, then watch, relist on 410, reconnect with back-off. Made by `startInformer`.
 * Objects are shared with every reader and deeply frozen in tests: never change one, copy it first.
 */
export interface Informer<T extends KubeObject> {
  /** By namespace and name; by name only for cluster-scoped kinds. */
  get(name: string, namespace?: string): T | undefined;
  /** All, or those of one namespace, in no particular order. */
  list(namespace?: string): T[];
  /** Objects whose index function (see `InformerOptions.indexes`) returned `value`. */
  byIndex(index: string, value: string): T[];
  /** Called once per change, after the copy has taken it in; for all present objects as 'added' when subscribed late. Returns the unsubscribe. */
  onChange(handler: (change: Change<T>) => void): () => void;
  /** Resolves when the first list has been taken in. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** Takes in the whole state anew, as after a 410: for one who has found it wrong. What differs is told as changes; the copy stays readable. */
  relist(): void;
  /** Called after each whole list has been taken in. Returns the unsubscribe. */
  onList(handler: () => void): () => void;
  /** Milliseconds since the epoch of the last event or bookmark: how deaf it may be. */
  readonly lastEventAt: number;
  stop(): void;
}

export type Change<T extends KubeObject> =
  { type: 'added'; object: T } | { type: 'updated'; object: T; old: T } | { type: 'deleted'; object: T };

export interface InformerOptions<T extends KubeObject> {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** What is kept of each object as it comes in; must keep name, namespace, uid and resourceVersion. Default: all of it. */
  transform?: (object: T) => T;
  /** Name -> keys of an object under which `byIndex` finds it. */
  indexes?: Record<string, (object: T) => string[]>;
}
