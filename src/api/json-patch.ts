/**
 * JSON Patch (RFC 6902) on parsed JSON. Keys such as `__proto__` and `toString` are data like any other, and what copies may add is bounded,
 * since ten of them in a row can make a thousand of one (feature 8-067).
 */
import { deepEqual } from './deep-equal.ts';

export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value?: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string };

/** An operation does not apply. The words are those of the library Kubernetes uses. */
export class JsonPatchError extends Error {}

/** Characters of JSON that all copies of one patch may add. */
const MAX_COPIED = 3 * 1024 * 1024;

type Container = Record<string, unknown> | unknown[];

/** A new value, all operations applied; the input stays as it is. Throws JsonPatchError at the first that does not apply. */
export function applyJsonPatch(target: unknown, operations: readonly JsonPatchOperation[]): unknown {
  // In a box of its own the whole document is a value with a key, too.
  const root: Container = [structuredClone(target)];
  let copied = 0;
  for (const operation of operations) {
    const place = placeOf(root, operation.path, operation.op);
    switch (operation.op) {
      case 'add':
        insert(place, structuredClone(operation.value));
        break;
      case 'remove':
        remove(place);
        break;
      case 'replace':
        read(place);
        if (Array.isArray(place.parent)) place.parent[Number(place.key)] = structuredClone(operation.value);
        else insert(place, structuredClone(operation.value));
        break;
      case 'test':
        if (!has(place) || !deepEqual(read(place), operation.value)) {
          throw new JsonPatchError(`testing value ${operation.path} failed: test failed`);
        }
        break;
      case 'copy': {
        const value = read(placeOf(root, operation.from, operation.op));
        copied += (JSON.stringify(value) as string | undefined)?.length ?? 0;
        if (copied > MAX_COPIED) {
          throw new JsonPatchError(
            `Unable to complete the copy, the accumulated size increase of copy is ${String(copied)}, exceeding the limit ${String(MAX_COPIED)}`,
          );
        }
        insert(place, structuredClone(value));
        break;
      }
      case 'move': {
        if (operation.path.startsWith(`${operation.from}/`)) {
          throw new JsonPatchError(`move operation does not apply: ${operation.from} is moved into itself`);
        }
        const from = placeOf(root, operation.from, operation.op);
        const value = read(from);
        remove(from);
        // Looked up again: in a list what stood behind has moved up.
        insert(placeOf(root, operation.path, operation.op), value);
      }
    }
  }
  return root[0];
}

interface Place {
  readonly op: string;
  readonly path: string;
  readonly parent: Container;
  readonly key: string;
}

/** Throws JsonPatchError where there is nothing that could hold the last key. */
function placeOf(root: Container, path: string, op: string): Place {
  if (path !== '' && !path.startsWith('/')) throw missing(op, 'path', path);
  const keys = path.split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  keys[0] = '0';
  let parent: unknown = root;
  for (const key of keys.slice(0, -1)) {
    parent = isContainer(parent) && owns(parent, key) ? valueAt(parent, key) : undefined;
  }
  if (!isContainer(parent)) throw missing(op, 'path', path);
  return { op, path, parent, key: keys.at(-1) ?? '' };
}

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;
const isIndex = (key: string): boolean => /^(0|[1-9]\d{0,9})$/.test(key);

function owns(parent: Container, key: string): boolean {
  return Array.isArray(parent) ? isIndex(key) && Number(key) < parent.length : Object.hasOwn(parent, key);
}

const has = ({ parent, key }: Place): boolean => owns(parent, key);

const valueAt = (parent: Container, key: string): unknown =>
  Array.isArray(parent) ? parent[Number(key)] : parent[key];

function read(place: Place): unknown {
  if (!has(place)) throw missing(place.op, 'key', place.path);
  return valueAt(place.parent, place.key);
}

function insert(place: Place, value: unknown): void {
  const { parent, key, op, path } = place;
  if (!Array.isArray(parent)) {
    // An assignment to `__proto__` would not make a property.
    Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  const at = key === '-' ? parent.length : isIndex(key) ? Number(key) : NaN;
  if (!(at <= parent.length)) {
    throw new JsonPatchError(`${op} operation does not apply: Unable to access invalid index: ${path}`);
  }
  parent.splice(at, 0, value);
}

function remove(place: Place): void {
  read(place);
  const { parent, key } = place;
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else Reflect.deleteProperty(parent, key);
}

const missing = (op: string, what: string, path: string): JsonPatchError =>
  new JsonPatchError(`${op} operation does not apply: doc is missing ${what}: ${path}`);
