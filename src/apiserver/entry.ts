/**
 * One stored object in its three forms - text as stored, parsed, bytes on the wire - each made once, when first needed, and shared
 * by everybody who reads it. The stored text has no resourceVersion: that is the revision of its commit, known only afterwards.
 */
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { storedKind } from './keys.ts';

/** Makes the text of a stored object: kind, apiVersion and metadata come first, so that `Entry` finds the place for the resourceVersion. */
export function encodeStored(kind: Kind, object: KubeObject): string {
  const stored = storedKind(kind);
  const { kind: _kind, apiVersion, metadata, ...rest } = kind.custom ? kind.custom.toStored(object) : object;
  const { resourceVersion: _resourceVersion, ...meta } = metadata;
  const version = kind.custom ? apiVersion : apiVersionOf(stored);
  return JSON.stringify({ kind: stored.kind, apiVersion: version, metadata: meta, ...rest });
}

/** Text every stored object of the kind begins with. */
function headOf(kind: Kind): string {
  return `${typeHead(kind)}"metadata":{`;
}

/** `{"kind":"Pod","apiVersion":"v1",`: what an item of a list lacks (feature 8-059). */
export function typeHead(kind: Kind): string {
  return `{"kind":${JSON.stringify(kind.kind)},"apiVersion":${JSON.stringify(apiVersionOf(kind))},`;
}

/** Set by tests: parsed objects are deeply frozen, so that a reader who changes one is found out. */
export const strictness = { freeze: false };

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}

export class Entry {
  readonly kind: Kind;
  readonly key: string;
  /** The stored text, without resourceVersion. */
  readonly text: string;
  readonly revision: number;
  #object: KubeObject | undefined;
  #bytes: Record<string, Buffer> | undefined;
  #item: string | undefined;
  #views: Map<Kind, Entry> | undefined;

  constructor(kind: Kind, key: string, text: string, revision: number) {
    this.kind = kind;
    this.key = key;
    this.text = text;
    this.revision = revision;
  }

  /** Shared by all readers: never change it, use `copy`. */
  get object(): KubeObject {
    if (!this.#object) {
      this.#object = this.copy();
      if (strictness.freeze) deepFreeze(this.#object);
    }
    return this.#object;
  }

  /** A fresh one to change at will. */
  copy(): KubeObject {
    const stored = JSON.parse(this.text) as KubeObject;
    const object = this.kind.custom ? this.kind.custom.fromStored(stored) : stored;
    if (this.revision > 0) object.metadata.resourceVersion = String(this.revision);
    return object;
  }

  /** JSON as an item of a list: with resourceVersion, without kind and apiVersion. */
  get itemJson(): string {
    if (this.kind.custom) return (this.#item ??= this.#customItem());
    const head = headOf(this.kind);
    // What a dry run would have made has no version.
    const version = this.revision === 0 ? '' : `"resourceVersion":"${String(this.revision)}",`;
    if (this.text.startsWith(head)) return `{"metadata":{${version}${this.text.slice(head.length)}`;
    const { kind: _kind, apiVersion: _apiVersion, ...rest } = this.object;
    return JSON.stringify(rest);
  }

  /** What is stored may be of another version, or older than the schema, so the text is made anew. */
  #customItem(): string {
    const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = this.object;
    const { resourceVersion, ...meta } = metadata;
    return JSON.stringify({ metadata: { resourceVersion, ...meta }, ...rest });
  }

  /** JSON as an object of its own. */
  get json(): string {
    return typeHead(this.kind) + this.itemJson.slice(1);
  }

  /** One line of a watch, encoded once per type and shared by all watchers. */
  watchLine(type: string): Buffer {
    this.#bytes ??= {};
    return (this.#bytes[type] ??= Buffer.from(`{"type":"${type}","object":${this.json}}\n`));
  }

  /** The same object as a row of another version of its kind has it: itself for all but custom resources. */
  as(kind: Kind): Entry {
    if (kind.custom === undefined || kind === this.kind) return this;
    this.#views ??= new Map();
    const known = this.#views.get(kind);
    if (known) return known;
    const made = new Entry(kind, this.key, this.text, this.revision);
    this.#views.set(kind, made);
    return made;
  }

  /** The same state under a later revision: what a DELETED event carries (feature 8-048). */
  at(revision: number): Entry {
    return new Entry(this.kind, this.key, this.text, revision);
  }
}
