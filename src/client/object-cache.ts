/** The objects of an informer, by name and by index. Every change comes back as the Change that readers are told. */
import type { KubeObject } from '../api/types.ts';
import type { Change } from './client.ts';

export class ObjectCache<T extends KubeObject> {
  readonly #namespaced: boolean;
  readonly #indexes: Readonly<Record<string, (object: T) => string[]>>;
  readonly #objects = new Map<string, T>();
  /** namespace -> key -> object, only for namespaced kinds. */
  readonly #namespaces = new Map<string, Map<string, T>>();
  /** index -> value -> key -> object. Invariant: no empty inner map. */
  readonly #byIndex: Map<string, Map<string, Map<string, T>>>;

  constructor(namespaced: boolean, indexes: Readonly<Record<string, (object: T) => string[]>> = {}) {
    this.#namespaced = namespaced;
    this.#indexes = indexes;
    this.#byIndex = new Map(Object.keys(indexes).map((name) => [name, new Map<string, Map<string, T>>()]));
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#objects.get(this.#key(name, namespace));
  }

  list(namespace?: string): T[] {
    if (namespace === undefined || !this.#namespaced) return [...this.#objects.values()];
    return [...(this.#namespaces.get(namespace)?.values() ?? [])];
  }

  /** @throws Error for an index that was never declared: a caller's mistake. */
  byIndex(index: string, value: string): T[] {
    const values = this.#byIndex.get(index);
    if (!values) throw new Error(`informer has no index ${index}`);
    return [...(values.get(value)?.values() ?? [])];
  }

  /** Undefined when exactly this version is there already. */
  put(object: T): Change<T> | undefined {
    const key = this.#key(object.metadata.name, object.metadata.namespace);
    const old = this.#objects.get(key);
    if (old && sameVersion(old, object)) return undefined;
    if (old) this.#unindex(key, old);
    this.#objects.set(key, object);
    this.#index(key, object);
    return old ? { type: 'updated', object, old } : { type: 'added', object };
  }

  /** The change carries the object as the server last had it. Undefined when it was not there. */
  remove(object: T): Change<T> | undefined {
    const key = this.#key(object.metadata.name, object.metadata.namespace);
    const old = this.#objects.get(key);
    if (!old) return undefined;
    this.#objects.delete(key);
    this.#unindex(key, old);
    return { type: 'deleted', object };
  }

  /**
   * Makes `objects` the whole state and yields the differences, each after it was taken in. An object deleted and made again under
   * the same name is deleted, then added. The caller must iterate to the end.
   */
  *replace(objects: readonly T[]): Generator<Change<T>> {
    const next = new Map(objects.map((object) => [this.#key(object.metadata.name, object.metadata.namespace), object]));
    for (const [key, old] of this.#objects) {
      const now = next.get(key);
      const change = now && now.metadata.uid === old.metadata.uid ? undefined : this.remove(old);
      if (change) yield change;
    }
    for (const object of objects) {
      const change = this.put(object);
      if (change) yield change;
    }
  }

  #key(name: string, namespace: string | undefined): string {
    return this.#namespaced ? `${namespace ?? ''}/${name}` : name;
  }

  #index(key: string, object: T): void {
    if (this.#namespaced) insert(this.#namespaces, object.metadata.namespace ?? '', key, object);
    for (const [name, keysOf] of Object.entries(this.#indexes)) {
      const values = this.#byIndex.get(name);
      if (values) for (const value of keysOf(object)) insert(values, value, key, object);
    }
  }

  #unindex(key: string, old: T): void {
    if (this.#namespaced) drop(this.#namespaces, old.metadata.namespace ?? '', key);
    for (const [name, keysOf] of Object.entries(this.#indexes)) {
      const values = this.#byIndex.get(name);
      if (values) for (const value of keysOf(old)) drop(values, value, key);
    }
  }
}

const sameVersion = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion &&
  a.metadata.uid === b.metadata.uid;

function insert<T>(groups: Map<string, Map<string, T>>, group: string, key: string, object: T): void {
  const members = groups.get(group);
  if (members) members.set(key, object);
  else groups.set(group, new Map([[key, object]]));
}

function drop<T>(groups: Map<string, Map<string, T>>, group: string, key: string): void {
  const members = groups.get(group);
  members?.delete(key);
  if (members?.size === 0) groups.delete(group);
}
