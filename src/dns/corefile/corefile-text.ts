/** Directives back as a Corefile, one way of writing each: to compare and to show them. Pure. */
import type { Directive, ServerBlock } from './directive.ts';

/** Parses to the same blocks again. */
export function corefileText(blocks: readonly ServerBlock[]): string {
  return blocks.map(({ keys, directives }) => `${keys.map(word).join(' ')} {\n${bodyText(directives, 1)}}\n`).join('');
}

function bodyText(directives: readonly Directive[], depth: number): string {
  const indent = '    '.repeat(depth);
  return directives
    .map(({ name, args, body }) => {
      const line = [name, ...args].map(word).join(' ');
      return body ? `${indent}${line} {\n${bodyText(body, depth + 1)}${indent}}\n` : `${indent}${line}\n`;
    })
    .join('');
}

/** Bare unless that would read as something else. A text that needs quotes and ends in a backslash cannot be written in a Corefile at all. */
function word(text: string): string {
  const isBare = /^[^\s"#][^\s#]*$/.test(text) && !/^(?:import|\(.+\)|\})$|\{$/.test(text);
  return isBare ? text : `"${text.replaceAll('"', '\\"')}"`;
}
