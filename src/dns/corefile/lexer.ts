/** A Corefile as words: what spaces part, with quotes, comments and the variables of the environment taken care of. Pure. */
import { CorefileError } from './corefile-error.ts';
import type { Place } from './directive.ts';

export interface Word {
  readonly text: string;
  /** `"{"` is a text, `{` opens a block. */
  readonly isQuoted: boolean;
  readonly place: Place;
  /** Nothing stands before it on its line. */
  readonly isFirst: boolean;
}

export type Environment = (name: string) => string | undefined;

/**
 * A `#` begins a comment wherever it stands outside quotes. Inside quotes `\"` is a quote and every other backslash itself; a quoted text may go over
 * several lines. `{$NAME}` and `{%NAME%}` are replaced inside a word, by nothing where the variable is not set, and never make two words of one.
 *
 * @throws CorefileError for a quote that is never closed
 */
export function lex(text: string, file: string, environment: Environment): Word[] {
  const words: Word[] = [];
  let line = 1;
  let lastLine = 0;
  for (let at = 0; at < text.length;) {
    const char = text.charAt(at);
    if (char === '\n') line++;
    if (/\s/.test(char)) at++;
    else if (char === '#') at = endOfLine(text, at);
    else {
      const place = { file, line };
      const read = char === '"' ? readQuoted(text, at, place) : readPlain(text, at);
      words.push({
        text: withVariables(read.text, environment),
        isQuoted: char === '"',
        place,
        isFirst: line !== lastLine,
      });
      line += text.slice(at, read.next).split('\n').length - 1;
      lastLine = line;
      at = read.next;
    }
  }
  return words;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function readPlain(text: string, from: number): { text: string; next: number } {
  let next = from;
  while (next < text.length && !/[\s#]/.test(text.charAt(next))) next++;
  return { text: text.slice(from, next), next };
}

function readQuoted(text: string, from: number, place: Place): { text: string; next: number } {
  let inside = '';
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') return { text: inside, next: at + 1 };
    if (char === '\\' && text.charAt(at + 1) === '"') at++;
    inside += char === '\\' ? text.charAt(at) : char;
  }
  throw new CorefileError(place, 'a quote is opened here and never closed');
}

function withVariables(text: string, environment: Environment): string {
  if (!text.includes('{')) return text;
  return text.replaceAll(/\{\$([^{}$%\s]+)\}|\{%([^{}$%\s]+)%\}/g, (_, unix?: string, windows?: string) => {
    return environment(unix ?? windows ?? '') ?? '';
  });
}
