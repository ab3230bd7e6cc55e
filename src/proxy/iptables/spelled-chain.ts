/** A chain kept as its text, which takes a third of the memory of its rules; who asks for the rules has them read back. */
import { parseRule, tokenize } from './parse.ts';
import type { Chain, Rule } from './rule-set.ts';

export class SpelledChain implements Chain {
  readonly name: string;
  readonly text: string;
  readonly count: number;

  /** `rules`: texts as after `-A CHAIN`, each with a space before it. */
  constructor(name: string, rules: readonly string[]) {
    this.name = name;
    this.text = rules.map((rule) => `-A ${name}${rule}\n`).join('');
    this.count = rules.length;
  }

  /** Not kept. */
  get rules(): readonly Rule[] {
    const start = `-A ${this.name}`.length;
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line) => parseRule(tokenize(line.slice(start))));
  }
}
