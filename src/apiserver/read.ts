/** Reading one object, and writing the outcome of a change. */
import { notFound } from '../api/api-error.ts';
import { EVENTS, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import type { Operation } from '../store/store.ts';
import { MAX_BODY, tooLarge } from './body.ts';
import type { Core } from './core.ts';
import { encodeStored, Entry } from './entry.ts';
import { EVENT_TTL } from './event-expiry.ts';
import { keyOf, storedKind } from './keys.ts';

/** The newest state. Throws NotFound. */
export async function readObject(core: Core, kind: Kind, namespace: string | undefined, name: string): Promise<Entry> {
  await core.cache.catchUp();
  const entry = core.cache.of(kind).get(keyOf(kind, namespace, name));
  if (!entry) throw notFound(kind, name);
  return entry.as(kind);
}

/** Straight from the store, past the cache: what a writer looks at after it lost a race. */
export async function readStored(core: Core, kind: Kind, key: string): Promise<Entry | undefined> {
  const found = await core.store.get(key);
  return found && new Entry(storedKind(kind), key, found.value, found.revision);
}

/** Before an answer that writes nothing: the state it rests on may be behind where others write too. Throws ConditionFailed. */
export async function confirmCurrent(core: Core, { key, revision }: Entry): Promise<void> {
  if (core.store.shared) await core.store.commit([{ type: 'check', key, expect: revision }]);
}

export interface Put {
  readonly key: string;
  readonly object: KubeObject;
  /** Revision the key must have; 0: absent. */
  readonly expect: number;
  readonly also: readonly Operation[];
}

/** One commit, one revision. Throws ConditionFailed, ApiError 413. */
export async function putObject(core: Core, kind: Kind, { key, object, expect, also }: Put): Promise<Entry> {
  const value = encodeStored(kind, object);
  // Patches and appliers add to an object time after time; no request that brings one whole may be longer.
  if (value.length > MAX_BODY) throw tooLarge();
  const ttl = core.store.expires && storedKind(kind) === EVENTS ? EVENT_TTL : undefined;
  const { revision } = await core.store.commit([{ type: 'put', key, value, expect, ttl }, ...also]);
  return new Entry(storedKind(kind), key, value, revision);
}
