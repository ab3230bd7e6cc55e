/** All kinds this server serves now: the rows of the table, and those that CustomResourceDefinitions add and take away while it runs. */
import { apiVersionOf, kindByApiVersion, kindByResource, KINDS, type Kind } from '../api/kinds.ts';
import type { DefinedKinds } from '../api/custom/kinds.ts';
import { compareVersions } from '../api/versions/order.ts';

export class ServedKinds {
  readonly #defined = new Map<string, DefinedKinds>();
  #byResource = new Map<string, Kind>();
  #byApiVersion = new Map<string, Kind>();
  #all: readonly Kind[] = KINDS;
  #custom: readonly Kind[] = [];
  #generation = 0;

  /** Grows with every change: what was made from the kinds is good until then. */
  get generation(): number {
    return this.#generation;
  }

  /** In the order discovery lists them. */
  get all(): readonly Kind[] {
    return this.#all;
  }

  /** Those that definitions add. */
  get custom(): readonly Kind[] {
    return this.#custom;
  }

  /** The row a URL names, or undefined. */
  byResource(group: string, version: string, plural: string): Kind | undefined {
    return kindByResource(group, version, plural) ?? this.#byResource.get(`${group}/${version}/${plural}`);
  }

  /** The row an object's own apiVersion and kind name, or undefined. */
  byApiVersion(apiVersion: string, kind: string): Kind | undefined {
    return kindByApiVersion(apiVersion, kind) ?? this.#byApiVersion.get(`${apiVersion}/${kind}`);
  }

  /** The row that is served for one that somebody else made of the same definition; itself where there is none. */
  own<K extends Kind>(kind: K): K {
    if (this.#custom.length === 0) return kind;
    return (this.#byResource.get(`${kind.group}/${kind.version}/${kind.plural}`) as K | undefined) ?? kind;
  }

  /** The row in which the objects of a definition are stored, served or not. */
  storedBy(name: string): Kind | undefined {
    return this.#defined.get(name)?.stored;
  }

  /** @param name of the definition; undefined kinds: it defines none any more */
  define(name: string, kinds: DefinedKinds | undefined): void {
    if (kinds) this.#defined.set(name, kinds);
    else if (!this.#defined.delete(name)) return;
    this.#generation += 1;
    const custom = [...this.#defined.values()].flatMap(({ served }) => served);
    custom.sort(order);
    this.#custom = custom;
    this.#all = [...KINDS, ...custom];
    this.#byResource = new Map(custom.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));
    this.#byApiVersion = new Map(custom.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
  }
}

/** By group, preferred versions first, then by name. */
function order(a: Kind, b: Kind): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  if (a.version !== b.version) return compareVersions(a.version, b.version);
  return a.plural < b.plural ? -1 : 1;
}
