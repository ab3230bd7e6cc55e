/**
 * Where an object lies in the store: `/registry/<group or core>/<plural>/[<namespace>/]<name>`. Byte order of keys is the order
 * of lists (feature 8-056).
 */
import { storedKind, type Kind } from '../api/kinds.ts';

export const ROOT = '/registry/';

export { storedKind };

export function prefixOf(kind: Kind): string {
  const { group, plural } = storedKind(kind);
  return `${ROOT}${group === '' ? 'core' : group}/${plural}/`;
}

/** `namespace` is ignored for cluster-scoped kinds. */
export function keyOf(kind: Kind, namespace: string | undefined, name: string): string {
  return `${prefixOf(kind)}${kind.namespaced ? `${namespace ?? ''}/` : ''}${name}`;
}

/** The kind's prefix of a key: everything up to and with the third slash behind the root. */
export function prefixOfKey(key: string): string {
  const group = key.indexOf('/', ROOT.length);
  return key.slice(0, key.indexOf('/', group + 1) + 1);
}
