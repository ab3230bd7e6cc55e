/** Regular expressions of schemas. They are written for Go, which cannot backtrack, and come from outside. */
import { setFlagsFromString } from 'node:v8';

/** After this many patterns all are forgotten. */
const MOST = 1000;
const known = new Map<string, RegExp | undefined>();
let guarded = false;

/**
 * V8 then goes on in linear time where backtracking gets out of hand; only for what has no Unicode mode and no counted repetition. For expressions
 * made by others too: `matches` of CEL makes its own.
 */
export function guardRegularExpressions(): void {
  if (guarded) return;
  guarded = true;
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

/** What JavaScript knows and Go does not, for no linear time is to be had with it: looking around and back. */
function isBeyondGo(source: string): boolean {
  const bare = source.replace(/\\[^1-9k]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]/g, '');
  return /\(\?<?[=!]|\\[1-9k]/.test(bare);
}

/** Go's syntax, as far as JavaScript can say it; undefined: it cannot. */
export function regularExpression(pattern: string): RegExp | undefined {
  if (known.has(pattern)) return known.get(pattern);
  guardRegularExpressions();
  if (known.size >= MOST) known.clear();
  // A flag group at the start is the one Go construct that CRDs use and JavaScript writes otherwise.
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(pattern) ?? [];
  const source = rest.replaceAll('(?P<', '(?<').replaceAll('\\A', '^').replaceAll('\\z', '$');
  // Only these need Unicode mode, which loses the guard: classes, and what is two halves of a character otherwise.
  const mode = /\\[pP]\{|[\ud800-\udfff]/.test(source) ? 'u' : '';
  let made: RegExp | undefined;
  try {
    if (!isBeyondGo(source)) made = new RegExp(source, flags + mode);
  } catch {
    // Undefined says so.
  }
  known.set(pattern, made);
  return made;
}
