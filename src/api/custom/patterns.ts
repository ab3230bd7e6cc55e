/** Regular expressions of schemas and rules. They are written for Go, which cannot backtrack, and come from outside: RE2 answers them in linear time. */
import { createRequire } from 'node:module';
import type * as Re2Module from 're2js';
import type { RE2JS } from 're2js';

/** After this many patterns, or instructions of theirs, all are forgotten. */
const MOST = 1000;
const MOST_INSTRUCTIONS = 500_000;
const known = new Map<string, RE2JS | string>();
let instructions = 0;
let loaded: typeof Re2Module | undefined;

/** Longer ones are not compiled: what a short repetition stands for may be a thousand times its length. */
const LONGEST = 10_000;

/** Instructions of a compiled pattern; Go's own bound is far higher, and its machine faster. */
const LARGEST = 20_000;

/** Go's syntax; undefined: it is not, and `patternProblem` says why. `test` looks for it anywhere in a text. */
export function regularExpression(pattern: string): RE2JS | undefined {
  const made = compiled(pattern);
  return typeof made === 'string' ? undefined : made;
}

/** Go's own message, for a pattern it would not take; undefined: it takes it. */
export function patternProblem(pattern: string): string | undefined {
  const made = compiled(pattern);
  return typeof made === 'string' ? made : undefined;
}

/** How many instructions, about, are still to be made for the pattern: none once it has been compiled, or refused. */
export function toCompile(pattern: string): number {
  if (known.has(pattern)) return 0;
  return pattern.length > LONGEST
    ? pattern.length
    : Math.max(pattern.length, 2 * Math.min(writtenOut(pattern), LARGEST));
}

function compiled(pattern: string): RE2JS | string {
  let made = known.get(pattern);
  if (made === undefined) {
    if (known.size >= MOST || instructions > MOST_INSTRUCTIONS) {
      known.clear();
      instructions = 0;
    }
    made = compile(pattern);
    if (typeof made !== 'string') instructions += made.programSize();
    known.set(pattern, made);
  }
  return made;
}

function compile(pattern: string): RE2JS | string {
  const tooLarge = 'error parsing regexp: expression too large';
  if (pattern.length > LONGEST || writtenOut(pattern) > LARGEST) return tooLarge;
  loaded ??= createRequire(import.meta.url)('re2js') as typeof Re2Module;
  try {
    const made = loaded.RE2JS.compile(pattern);
    return made.programSize() > LARGEST ? tooLarge : made;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** An escape, a class, a count or one character: what the size of a pattern is made of. */
const token = /\\[\s\S]|\[\^?\]?(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|[\s\S]/g;

/** How many atoms there are when every counted repetition has been written out: RE2 compiles it so, and takes as long. */
function writtenOut(pattern: string): number {
  const open = [{ size: 0, last: 0 }];
  for (const [text, least, most] of pattern.matchAll(token)) {
    const inner = text === ')' && open.length > 1 ? open.pop() : undefined;
    const level = open.at(-1);
    if (!level) break;
    const copies = least === undefined ? undefined : Math.max(Number(least), Number(most ?? 0));
    const added = copies === undefined ? (inner?.size ?? 0) + 1 : level.last * copies;
    level.size += copies === undefined ? added : added - level.last;
    level.last = added;
    if (text === '(') open.push({ size: 0, last: 0 });
  }
  return open.reduce((sum, { size }) => sum + size, 0);
}
