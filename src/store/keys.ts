/** Order of keys: that of their UTF-8 bytes, as in etcd and in SQLite. */

/** JavaScript compares UTF-16 units, which differs from byte order only where surrogates are involved. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
const SURROGATE = /[\ud800-\udfff]/;

/** The first key behind all that start with `prefix`, or undefined where there is none: `/pods/` -> `/pods0`. */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0;
    // No text holds a lone surrogate once it is UTF-8: step over them.
    if (point < 0x10ffff) return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}
