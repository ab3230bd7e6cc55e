/**
 * Strategic merge patch (feature 8-069): like a merge patch, but lists of named things merge by their key, and directives say what JSON
 * cannot: `$patch`, `$retainKeys`, `$setElementOrder/x`, `$deleteFromPrimitiveList/x`. Pure: neither input is changed.
 */
import { ApiError, badRequest } from './api-error.ts';
import type { KindName } from './decode.ts';
import { apiVersionOf, type Kind } from './kinds.ts';
import { listMergeOf, type ListMerge } from './merge-keys.ts';
import { definitionOf, structOf } from './schema/load.ts';
import type { TypeText } from './schema/types.ts';

type Json = Record<string, unknown>;

const directive = '$patch';
const retainKeys = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

/**
 * @param kind says which lists merge by which key
 * @returns the patched object as plain JSON, yet to be decoded
 * @throws ApiError 400 for a malformed directive, 422 for a list item without its merge key
 */
export function strategicMergePatch(kind: Kind | KindName, object: unknown, patch: unknown): Json {
  if (!isRecord(patch)) throw badRequest('strategic merge patch must be an object');
  const definition = definitionOf(apiVersionOf(kind as Kind), kind.kind);
  return mergeMap(isRecord(object) ? object : {}, patch, definition);
}

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDirective = (key: string): boolean =>
  key === directive || key === retainKeys || key.startsWith(deletePrefix) || key.startsWith(orderPrefix);

/** A new record with own properties only, so that a key like `__proto__` stays data. */
const recordOf = (entries: Map<string, unknown>): Json => Object.fromEntries(entries);

/** @param definition of the struct; undefined inside free-form maps, where no list merges */
function mergeMap(original: Json, patch: Json, definition: string | undefined): Json {
  if (Object.hasOwn(patch, directive)) {
    const what = patch[directive];
    if (what === 'replace') return dropDirectives(patch) as Json;
    if (what === 'delete') return {};
    if (what !== 'merge') throw unknownDirective(what);
  }
  const result = new Map(Object.entries(original));
  applyRetainKeys(result, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(deletePrefix)) {
      const field = key.slice(deletePrefix.length);
      if (!Array.isArray(value)) throw badPrimitiveList();
      const list = result.get(field);
      if (Array.isArray(list)) result.set(field, without(list, value));
    } else if (!isDirective(key)) {
      mergeField(result, key, value, definition);
    }
  }
  for (const [key, order] of Object.entries(patch)) {
    if (key.startsWith(orderPrefix))
      setElementOrder(result, key.slice(orderPrefix.length), order, original, definition);
  }
  return recordOf(result);
}

function mergeField(result: Map<string, unknown>, key: string, value: unknown, definition: string | undefined): void {
  if (value === null) {
    result.delete(key);
    return;
  }
  const present = result.get(key);
  const type = fieldType(definition, key);
  if (isRecord(value) && isRecord(present)) {
    result.set(key, mergeMap(present, value, structName(type)));
  } else if (Array.isArray(value)) {
    const merge = definition === undefined ? undefined : listMergeOf(definition, key);
    result.set(key, mergeList(Array.isArray(present) ? present : [], value, merge, structName(type)));
  } else if (isRecord(value)) {
    // Nothing to merge with: nulls in it delete nothing and go.
    result.set(key, mergeMap({}, value, structName(type)));
  } else {
    result.set(key, value);
  }
}

function fieldType(definition: string | undefined, field: string): TypeText | undefined {
  if (definition === undefined) return undefined;
  const { fields } = structOf(definition);
  return Object.hasOwn(fields, field) ? fields[field] : undefined;
}

function structName(type: TypeText | undefined): string | undefined {
  const item = type?.replace(/^\[\]/, '');
  return item?.startsWith('#') ? item.slice(1) : undefined;
}

function applyRetainKeys(result: Map<string, unknown>, patch: Json): void {
  if (!Object.hasOwn(patch, retainKeys)) return;
  const keys = patch[retainKeys];
  if (!Array.isArray(keys)) throw badRequest('invalid patch format of $retainKeys');
  const listed = Object.entries(patch).every(
    ([key, value]) => isDirective(key) || value === null || keys.includes(key),
  );
  if (!listed) throw badRequest('invalid patch format of $retainKeys');
  for (const key of [...result.keys()]) if (!keys.includes(key)) result.delete(key);
}

function mergeList(
  original: readonly unknown[],
  patch: readonly unknown[],
  merge: ListMerge | undefined,
  itemDefinition: string | undefined,
): unknown[] {
  if (!merge?.strategy?.startsWith('merge')) return dropDirectives(patch) as unknown[];
  if (!merge.mergeKey) {
    const present = new Set(original.map(identityOf));
    const added = new Map(patch.map((item) => [identityOf(item), item]));
    for (const identity of present) added.delete(identity);
    return arrange([...original, ...added.values()], patch, original, undefined);
  }
  return mergeListByKey(original, patch, merge.mergeKey, itemDefinition);
}

function mergeListByKey(
  original: readonly unknown[],
  patch: readonly unknown[],
  mergeKey: string,
  itemDefinition: string | undefined,
): unknown[] {
  const items = patch.map((item) => {
    if (!isRecord(item)) throw unprocessable('cannot merge a list of objects with a list of plain values');
    return item;
  });
  if (items.some((item) => item[directive] === 'replace')) {
    return items.filter((item) => item[directive] !== 'replace').map(dropDirectives);
  }
  // The present items by their key, several of one key in one entry; what is deleted leaves a hole.
  const result: (Json | undefined | unknown)[] = [...original];
  const places = new Map<string, number[]>();
  const note = (item: unknown, at: number): void => {
    const identity = isRecord(item) ? identityOf(item[mergeKey]) : undefined;
    if (identity !== undefined) places.set(identity, [...(places.get(identity) ?? []), at]);
  };
  original.forEach(note);
  const deleted = new Set<number>();
  for (const item of items) {
    if (!Object.hasOwn(item, mergeKey)) {
      throw unprocessable(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    }
    const identity = identityOf(item[mergeKey]);
    const what = item[directive];
    if (what === 'delete') {
      for (const at of places.get(identity) ?? []) deleted.add(at);
      places.delete(identity);
      continue;
    }
    if (what !== undefined && what !== 'merge') throw unknownDirective(what);
    const at = places.get(identity)?.[0];
    const merged = mergeMap(at === undefined ? {} : (result[at] as Json), item, itemDefinition);
    if (at === undefined) note(merged, result.push(merged) - 1);
    else result[at] = merged;
  }
  const kept = original.filter((_, at) => !deleted.has(at));
  const named = items.filter((item) => item[directive] !== 'delete');
  return arrange(
    result.filter((_, at) => !deleted.has(at)),
    named,
    kept,
    mergeKey,
  );
}

/** The listed items come in the listed order; items only the server has keep their place among them as well as they can. */
function setElementOrder(
  result: Map<string, unknown>,
  field: string,
  order: unknown,
  original: Json,
  definition: string | undefined,
): void {
  if (!Array.isArray(order)) throw badRequest('invalid patch format of setElementOrder list');
  const list = result.get(field);
  if (!Array.isArray(list)) return;
  const mergeKey = definition === undefined ? undefined : listMergeOf(definition, field)?.mergeKey;
  const onServer = Array.isArray(original[field]) ? (original[field] as unknown[]) : [];
  result.set(field, arrange(list, order, onServer, mergeKey));
}

/**
 * Items that `order` names come in its order; the others keep theirs and are put between as the server had them. Where the server says nothing of
 * two, the named one comes first, so that what a patch adds stands before what it does not mention.
 */
function arrange(
  list: readonly unknown[],
  order: readonly unknown[],
  server: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const keyOf = (item: unknown): unknown => (mergeKey !== undefined && isRecord(item) ? item[mergeKey] : item);
  const positions = (items: readonly unknown[]): ((item: unknown) => number) => {
    const known = new Map<string, number>();
    for (const [at, item] of items.entries()) {
      const identity = identityOf(keyOf(item));
      if (!known.has(identity)) known.set(identity, at);
    }
    return (item) => known.get(identityOf(keyOf(item))) ?? -1;
  };

  const inOrder = positions(order);
  const onServer = positions(server);
  const named = list.filter((item) => inOrder(item) >= 0).sort((a, b) => inOrder(a) - inOrder(b));
  const others = list.filter((item) => inOrder(item) < 0);
  const merged: unknown[] = [];
  let [first, second] = [0, 0];
  while (first < others.length && second < named.length) {
    const [left, right] = [onServer(others[first]), onServer(named[second])];
    merged.push(left >= 0 && right >= 0 && left < right ? others[first++] : named[second++]);
  }
  return [...merged, ...others.slice(first), ...named.slice(second)];
}

/** What is taken over whole must not carry directives into the object. */
function dropDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropDirectives);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !isDirective(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, dropDirectives(each)]));
}

function without(list: readonly unknown[], gone: readonly unknown[]): unknown[] {
  const identities = new Set(gone.map(identityOf));
  return list.filter((item) => !identities.has(identityOf(item)));
}

/** One text for all values that are equal: looking for it takes no longer in a list of thousands. */
function identityOf(value: unknown): string {
  if (!isRecord(value) && !Array.isArray(value)) return JSON.stringify(value) ?? '';
  return JSON.stringify(value, (_, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

const unknownDirective = (what: unknown): ApiError => badRequest(`unknown patch type found: ${String(what)}`);
const badPrimitiveList = (): ApiError => badRequest('invalid patch format of primitive list');
const unprocessable = (message: string): ApiError =>
  new ApiError({ code: 422, reason: 'Invalid', message: `Unable to apply the patch: ${message}` });
