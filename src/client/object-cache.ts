/** The objects of an informer, by name and by index. Every change comes back as the Change that readers are told. */
import type { KubeObject } from '../api/types.ts';
import type { Change } from './client.ts';

export class ObjectCache<T extends KubeObject> {
  readonly #namespaced: boolean;
  readonly #indexes: Readonly<Record<string, (object: T) => string[]>>;
  readonly #objects = new Map<string, T>();
  /** By namespace, only for namespaced kinds. */
  readonly #namespaces: Groups<T>;
  /** By index, then by value. */
  readonly #byIndex: ReadonlyMap<string, Groups<T>>;

  constructor(namespaced: boolean, indexes: Readonly<Record<string, (object: T) => string[]>> = {}) {
    this.#namespaced = namespaced;
    this.#indexes = indexes;
    const groups = () => new Groups<T>(({ metadata: { name, namespace: space } }) => this.#key(name, space));
    this.#namespaces = groups();
    this.#byIndex = new Map(Object.keys(indexes).map((name) => [name, groups()]));
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#objects.get(this.#key(name, namespace));
  }

  list(namespace?: string): T[] {
    if (namespace === undefined || !this.#namespaced) return [...this.#objects.values()];
    return this.#namespaces.members(namespace);
  }

  /** @throws Error for an index that was never declared: a caller's mistake. */
  byIndex(index: string, value: string): T[] {
    const values = this.#byIndex.get(index);
    if (!values) throw new Error(`informer has no index ${index}`);
    return values.members(value);
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
    if (this.#namespaced) this.#namespaces.insert(object.metadata.namespace ?? '', key, object);
    for (const [name, keysOf] of Object.entries(this.#indexes)) {
      const values = this.#byIndex.get(name);
      if (values) for (const value of keysOf(object)) values.insert(value, key, object);
    }
  }

  #unindex(key: string, old: T): void {
    if (this.#namespaced) this.#namespaces.drop(old.metadata.namespace ?? '', key);
    for (const [name, keysOf] of Object.entries(this.#indexes)) {
      const values = this.#byIndex.get(name);
      if (values) for (const value of keysOf(old)) values.drop(value, key);
    }
  }
}

const sameVersion = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion &&
  a.metadata.uid === b.metadata.uid;

/**
 * Objects by some value of theirs. Most values are of one object alone (an address, the Service of a slice), and a Map for each would take more memory
 * than the objects do: so one stands by itself, and several in a Map by key.
 */
class Groups<T extends KubeObject> {
  readonly #groups = new Map<string, T | Map<string, T>>();
  readonly #keyOf: (object: T) => string;

  constructor(keyOf: (object: T) => string) {
    this.#keyOf = keyOf;
  }

  members(group: string): T[] {
    const members = this.#groups.get(group);
    if (members === undefined) return [];
    return members instanceof Map ? [...members.values()] : [members];
  }

  insert(group: string, key: string, object: T): void {
    const members = this.#groups.get(group);
    if (members instanceof Map) members.set(key, object);
    else if (members === undefined || this.#keyOf(members) === key) this.#groups.set(group, object);
    else {
      const both = new Map([[this.#keyOf(members), members]]);
      this.#groups.set(group, both.set(key, object));
    }
  }

  drop(group: string, key: string): void {
    const members = this.#groups.get(group);
    if (members instanceof Map) {
      members.delete(key);
      if (members.size === 0) this.#groups.delete(group);
    } else if (members && this.#keyOf(members) === key) this.#groups.delete(group);
  }
}
