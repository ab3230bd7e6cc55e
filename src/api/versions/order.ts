/** Which version of a group clients should prefer (feature 8-002). */

/** [stable 2, beta 1, alpha 0, anything else -1; major; minor of what is not stable] */
function rank(version: string): readonly [number, number, number] {
  const [known, major, stage, minor] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? [];
  if (known === undefined) return [-1, 0, 0];
  return [stage === undefined ? 2 : stage === 'beta' ? 1 : 0, Number(major), Number(minor ?? 0)];
}

/** For sorting: stable before beta before alpha, then the newer first: v2, v1, v1beta2, v1beta1; names of no such form last. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [rank(a), rank(b)];
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || (a < b ? -1 : Number(a > b));
}
