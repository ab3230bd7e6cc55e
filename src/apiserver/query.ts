/** Query parameters, as Kubernetes reads them. Pure. */

/**
 * A flag that is there is meant, unless it is `0` or `false` in any case: Python's client sends `True`, and `?watch` alone is enough. `null`: it is not
 * there.
 */
export function isTrue(text: string | null): boolean {
  return text !== null && !['0', 'false'].includes(text.toLowerCase());
}
