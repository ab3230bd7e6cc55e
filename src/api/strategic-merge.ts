/**
 * Strategic merge patch (feature 8-069): like a merge patch, but lists of named things merge by their key, and directives say what JSON
 * cannot: `$patch`, `$retainKeys`, `$setElementOrder/x`, `$deleteFromPrimitiveList/x`. Pure: neither input is changed.
 */
import { ApiError, badRequest } from './api-error.ts';
import type { KindName } from './decode.ts';
import { deepEqual } from './deep-equal.ts';
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
      if (Array.isArray(list))
        result.set(
          field,
          list.filter((item) => !includes(value, item)),
        );
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
    const added = patch.filter((item, index) => !includes(original, item) && !includes(patch.slice(0, index), item));
    return [...original, ...added];
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
  const result = [...original];
  for (const item of items) {
    if (!Object.hasOwn(item, mergeKey)) {
      throw unprocessable(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    }
    const matches = (other: unknown) => isRecord(other) && deepEqual(other[mergeKey], item[mergeKey]);
    const what = item[directive];
    if (what === 'delete') {
      for (let index = result.findIndex(matches); index >= 0; index = result.findIndex(matches))
        result.splice(index, 1);
      continue;
    }
    if (what !== undefined && what !== 'merge') throw unknownDirective(what);
    const index = result.findIndex(matches);
    const merged = mergeMap(index < 0 ? {} : (result[index] as Json), item, itemDefinition);
    if (index < 0) result.push(merged);
    else result[index] = merged;
  }
  return result;
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
  const keyOf = (item: unknown): unknown => (mergeKey !== undefined && isRecord(item) ? item[mergeKey] : item);
  const positionIn = (items: readonly unknown[], item: unknown): number =>
    items.findIndex((other) => deepEqual(keyOf(other), keyOf(item)));

  const server = Array.isArray(original[field]) ? (original[field] as unknown[]) : [];
  const listed = list
    .filter((item) => positionIn(order, item) >= 0)
    .sort((a, b) => positionIn(order, a) - positionIn(order, b));
  const serverOnly = list.filter((item) => positionIn(order, item) < 0);
  const merged: unknown[] = [];
  while (listed.length > 0 && serverOnly.length > 0) {
    const [left, right] = [positionIn(server, listed[0]), positionIn(server, serverOnly[0])];
    merged.push(left >= 0 && right >= 0 && left < right ? listed.shift() : serverOnly.shift());
  }
  result.set(field, [...merged, ...listed, ...serverOnly]);
}

/** What is taken over whole must not carry directives into the object. */
function dropDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropDirectives);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !isDirective(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, dropDirectives(each)]));
}

const includes = (list: readonly unknown[], item: unknown): boolean => list.some((other) => deepEqual(other, item));

const unknownDirective = (what: unknown): ApiError => badRequest(`unknown patch type found: ${String(what)}`);
const badPrimitiveList = (): ApiError => badRequest('invalid patch format of primitive list');
const unprocessable = (message: string): ApiError =>
  new ApiError({ code: 422, reason: 'Invalid', message: `Unable to apply the patch: ${message}` });
