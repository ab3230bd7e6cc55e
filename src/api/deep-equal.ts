type Json = Record<string, unknown>;

/** Equality of JSON values; an absent property and an undefined one are the same. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => deepEqual(item, b[index]))
    );
  }
  return eachField(a as Json, b as Json, deepEqual);
}

/**
 * The same, as Kubernetes compares on update: null, absent, an empty list and an empty object are one and the same,
 * because they are indistinguishable once they were Go values written with omitempty.
 */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return isHollow(a) && isHollow(b);
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b)) return isHollow(a) && isHollow(b);
    return a.length === b.length && a.every((item, index) => semanticEqual(item, b[index]));
  }
  return eachField(a as Json, b as Json, semanticEqual);
}

function eachField(a: Json, b: Json, equal: (left: unknown, right: unknown) => boolean): boolean {
  for (const key of Object.keys(a)) if (!equal(a[key], own(b, key))) return false;
  for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && !equal(undefined, b[key])) return false;
  return true;
}

const own = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);

/** Nothing in it but absent, null, empty lists and objects of such. */
function isHollow(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object') return false;
  return Array.isArray(value) ? value.length === 0 : Object.values(value).every(isHollow);
}
