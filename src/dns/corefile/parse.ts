/** Words to server blocks of directives, with snippets and imports put in their places. Pure but for what `ImportSource` reads. */
import { CorefileError } from './corefile-error.ts';
import type { Directive, Place, ServerBlock } from './directive.ts';
import { Importer } from './importer.ts';
import { noImports, type ImportSource } from './import-source.ts';
import { lex, type Environment, type Word } from './lexer.ts';

export interface ParseOptions {
  /** As messages call it, and where relative imports count from. */
  readonly file: string;
  /** No variables where absent. */
  readonly environment?: Environment;
  /** Nothing can be imported where absent. */
  readonly imports?: ImportSource;
}

/** Blocks in blocks; the plugins there are use two. */
const DEEPEST = 16;

/** @throws CorefileError */
export function parseCorefile(text: string, options: ParseOptions): ServerBlock[] {
  const { file, environment = () => undefined, imports = noImports } = options;
  const importer = new Importer(imports, environment);
  const reader = new Reader(importer.expand(lex(text, file, environment)));
  const blocks: ServerBlock[] = [];
  while (!reader.isAtEnd) blocks.push(readServerBlock(reader, blocks.length === 0));
  return blocks;
}

class Reader {
  readonly #words: readonly Word[];
  #at = 0;
  constructor(words: readonly Word[]) {
    this.#words = words;
  }
  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }
  peek(): Word | undefined {
    return this.#words[this.#at];
  }
  take(): Word | undefined {
    return this.#words[this.#at++];
  }
  /** What is left of the line. */
  restOfLine(): Word[] {
    const words: Word[] = [];
    for (let word = this.peek(); word && !word.isFirst; word = this.peek()) {
      words.push(word);
      this.#at++;
    }
    return words;
  }
}

const opens = (word: Word | undefined): boolean => word?.text === '{' && !word.isQuoted;
const closes = (word: Word | undefined): boolean => word?.text === '}' && !word.isQuoted;

/** Keys may be parted by commas, and go on over the next line after one. */
function readServerBlock(reader: Reader, mayBeBare: boolean): ServerBlock {
  const first = reader.take();
  if (!first) throw new Error('called at the end');
  if (opens(first))
    throw new CorefileError(first.place, 'a server block needs a zone before its "{": ". {" for all names');
  if (closes(first)) throw new CorefileError(first.place, 'this "}" closes nothing');
  const words = [first];
  for (let word = reader.peek(); word && !opens(word); word = reader.peek()) {
    if (word.isFirst && !words.at(-1)?.text.endsWith(',')) break;
    if (closes(word)) throw new CorefileError(word.place, 'this "}" closes nothing');
    words.push(word);
    reader.take();
  }
  const keys = words.flatMap(({ text }) => text.split(',')).filter((key) => key !== '');
  words.forEach(expectNoGluedBrace);
  if (opens(reader.peek())) return { keys, directives: readBody(reader, 1), place: first.place };
  // A file of one server block may leave out the braces.
  if (!mayBeBare) throw new CorefileError(first.place, `"${keys.join(' ')}" has no block: expected "{" behind it`);
  return { keys, directives: readDirectives(reader, 0, undefined), place: first.place };
}

function readBody(reader: Reader, depth: number): Directive[] {
  const brace = reader.take();
  if (!brace) throw new Error('called at the end');
  if (depth > DEEPEST) throw new CorefileError(brace.place, 'blocks are nested too deep');
  const next = reader.peek();
  if (next && !next.isFirst && !closes(next)) {
    throw new CorefileError(next.place, `expected a new line behind "{", found "${next.text}"`);
  }
  return readDirectives(reader, depth, brace.place);
}

/** @param opened where the block was opened; undefined: it goes to the end of the file */
function readDirectives(reader: Reader, depth: number, opened: Place | undefined): Directive[] {
  const directives: Directive[] = [];
  for (;;) {
    const word = reader.take();
    if (!word) {
      if (opened) throw new CorefileError(opened, 'a "{" is opened here and never closed');
      return directives;
    }
    if (closes(word)) {
      if (!opened) throw new CorefileError(word.place, 'this "}" closes nothing');
      const next = reader.peek();
      if (next && !next.isFirst) {
        throw new CorefileError(next.place, `expected a new line behind "}", found "${next.text}"`);
      }
      return directives;
    }
    if (!word.isQuoted && /^\}{2,}$/.test(word.text)) {
      throw new CorefileError(word.place, `expected each "}" on a line of its own, found "${word.text}"`);
    }
    if (opens(word)) throw new CorefileError(word.place, 'expected the name of a plugin or an option before "{"');
    directives.push(readDirective(reader, word, depth));
  }
}

function readDirective(reader: Reader, name: Word, depth: number): Directive {
  const args: string[] = [];
  let last = name;
  for (let word = reader.peek(); word && !word.isFirst; word = reader.peek()) {
    if (opens(word)) {
      const body = readBody(reader, depth + 1);
      return { name: name.text, args, body, place: name.place };
    }
    if (closes(word)) throw new CorefileError(word.place, 'expected "}" on a line of its own');
    args.push(word.text);
    last = word;
    reader.take();
  }
  expectNoGluedBrace(last);
  return { name: name.text, args, place: name.place };
}

function expectNoGluedBrace({ text, isQuoted, place }: Word): void {
  if (isQuoted || !text.endsWith('{')) return;
  throw new CorefileError(place, `put a space between "${text.slice(0, -1)}" and "{"`);
}
