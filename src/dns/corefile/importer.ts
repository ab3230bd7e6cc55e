/** Puts the words of snippets and files in the place of `import`. */
import { CorefileError } from './corefile-error.ts';
import type { Place } from './directive.ts';
import type { ImportSource } from './import-source.ts';
import { lex, type Environment, type Word } from './lexer.ts';

/** Imports in imports, and words in all: a file that imports itself twice would otherwise never end. */
const DEEPEST = 20;
const MOST_WORDS = 200_000;

export class Importer {
  readonly #source: ImportSource;
  readonly #environment: Environment;
  readonly #snippets = new Map<string, readonly Word[]>();
  #count = 0;

  constructor(source: ImportSource, environment: Environment) {
    this.#source = source;
    this.#environment = environment;
  }

  /** Takes snippets out and puts imports in. @throws CorefileError */
  expand(words: readonly Word[]): Word[] {
    return this.#expand(words, 0);
  }

  #expand(words: readonly Word[], depth: number): Word[] {
    const result: Word[] = [];
    let braces = 0;
    for (let at = 0; at < words.length;) {
      const word = words[at];
      if (!word) break;
      if (isBrace(word, '{')) braces++;
      if (isBrace(word, '}')) braces--;
      if (braces === 0 && word.isFirst && isSnippetName(word)) at = this.#takeSnippet(words, at);
      else if (word.isFirst && word.text === 'import' && !word.isQuoted) {
        const line = lineFrom(words, at);
        for (const imported of this.#import(line, depth)) result.push(imported);
        at += line.length;
      } else {
        result.push(word);
        at++;
        if (++this.#count > MOST_WORDS)
          throw new CorefileError(word.place, 'the Corefile with its imports is too long');
      }
    }
    return result;
  }

  /** Returns where it goes on behind it. */
  #takeSnippet(words: readonly Word[], at: number): number {
    const name = words[at];
    const brace = words[at + 1];
    if (!name) return at;
    if (!brace || !isBrace(brace, '{'))
      throw new CorefileError(name.place, `expected "{" behind the snippet ${name.text}`);
    const inside = words[at + 2];
    if (inside && !inside.isFirst && !isBrace(inside, '}')) {
      throw new CorefileError(inside.place, `expected a new line behind "{", found "${inside.text}"`);
    }
    let braces = 1;
    for (let end = at + 2; end < words.length; end++) {
      const word = words[end];
      if (word && isBrace(word, '{')) braces++;
      if (word && isBrace(word, '}') && --braces === 0) {
        const key = name.text.slice(1, -1);
        if (this.#snippets.has(key)) throw new CorefileError(name.place, `there is a snippet ${key} already`);
        this.#snippets.set(key, words.slice(at + 2, end));
        return end + 1;
      }
    }
    throw new CorefileError(brace.place, 'a "{" is opened here and never closed');
  }

  #import(line: readonly Word[], depth: number): Word[] {
    const [keyword, what, ...args] = line;
    if (!keyword) return [];
    const { place } = keyword;
    if (!what) throw new CorefileError(place, 'expected a file, a pattern or a snippet behind import');
    if (depth >= DEEPEST)
      throw new CorefileError(place, `imports are nested too deep: does ${what.text} import itself?`);
    const texts = args.map(({ text }) => text);
    const snippet = this.#snippets.get(what.text);
    if (snippet) return this.#expand(withArguments(snippet, texts), depth + 1);
    return this.#files(what.text, place).flatMap((file) => {
      const text = this.#source.read(file);
      if (text === undefined) throw new CorefileError(place, `cannot read ${file}`);
      return this.#expand(withArguments(lex(text, file, this.#environment), texts), depth + 1);
    });
  }

  #files(pattern: string, place: Place): readonly string[] {
    const isPattern = /[*?[]/.test(pattern);
    if (isPattern && (pattern.match(/[*?[]/g) ?? []).length > 1) {
      throw new CorefileError(place, `expected at most one wildcard in ${pattern}`);
    }
    const resolved = this.#source.resolve(place.file, pattern);
    if (isPattern) return this.#source.glob(resolved);
    if (this.#source.read(resolved) === undefined) {
      throw new CorefileError(place, `there is no snippet ${pattern} above and no file ${resolved}`);
    }
    return [resolved];
  }
}

const isBrace = (word: Word, brace: '{' | '}'): boolean => word.text === brace && !word.isQuoted;
const isSnippetName = ({ text, isQuoted }: Word): boolean => !isQuoted && /^\(.+\)$/.test(text);

function lineFrom(words: readonly Word[], at: number): Word[] {
  const end = words.findIndex((word, index) => index > at && (word.isFirst || isBrace(word, '}')));
  return words.slice(at, end < 0 ? undefined : end);
}

/** `{args[0]}` is what stands behind the name; one that is not given is nothing. */
function withArguments(words: readonly Word[], args: readonly string[]): Word[] {
  return words.map((word) =>
    word.text.includes('{args')
      ? {
          ...word,
          text: word.text.replaceAll(
            /\{args(?:\[(\d+)\]|\.(\d+))\}/g,
            (_, a?: string, b?: string) => args[Number(a ?? b)] ?? '',
          ),
        }
      : word,
  );
}
