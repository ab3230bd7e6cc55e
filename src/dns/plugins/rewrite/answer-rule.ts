/** What `rewrite name … answer …` does to the records that come back. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { refuse } from '../../corefile/option.ts';
import { nameBytes } from '../../wire/domain-name.ts';
import { TYPE, type Message, type Record } from '../../wire/message.ts';
import { WireReader } from '../../wire/wire-reader.ts';
import { regexRewriter, type NameRewriter } from './name-pattern.ts';

export interface AnswerRules {
  /** The rewritten name becomes the asked one again. */
  readonly auto: boolean;
  readonly names: readonly NameRewriter[];
  readonly values: readonly NameRewriter[];
}

/** `answer auto`, `answer name FROM TO`, `answer value FROM TO`, any number; all but the first may leave out `answer`. @throws CorefileError */
export function parseAnswerRules(directive: Directive, words: readonly string[]): AnswerRules {
  const names: NameRewriter[] = [];
  const values: NameRewriter[] = [];
  let auto = false;
  if (words.length > 0 && words[0] !== 'answer') refuse(directive, `expected answer, found "${words[0] ?? ''}"`);
  for (let at = 0; at < words.length;) {
    if (words[at] === 'answer') at++;
    const kind = words[at];
    if (kind === 'auto') {
      auto = true;
      at++;
      continue;
    }
    const [from, to] = words.slice(at + 1, at + 3);
    if ((kind !== 'name' && kind !== 'value') || from === undefined || to === undefined) {
      refuse(directive, 'expected behind answer: auto, name FROM TO or value FROM TO');
    }
    (kind === 'name' ? names : values).push(regexRewriter(directive, from, to));
    at += 3;
  }
  return { auto, names, values };
}

/** @param ownName what the name of a record becomes; undefined: as it is */
export function revertRecords(
  message: Message,
  ownName: NameRewriter,
  { values }: Pick<AnswerRules, 'values'>,
): Message {
  const revert = (record: Record): Record => {
    const name = ownName(record.name.toLowerCase()) ?? record.name;
    return withTargets({ ...record, name }, values);
  };
  const { answers, authorities, additionals } = message;
  return {
    ...message,
    answers: answers.map(revert),
    authorities: authorities.map(revert),
    additionals: additionals.map(revert),
  };
}

function withTargets(record: Record, rewriters: readonly NameRewriter[]): Record {
  if (rewriters.length === 0) return record;
  const changed = (name: string) => firstOf(rewriters, name) ?? name;
  switch (record.type) {
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
    case TYPE.SRV:
      return { ...record, target: changed(record.target) };
    case TYPE.SOA:
      return { ...record, mname: changed(record.mname), rname: changed(record.rname) };
    case 'other': {
      if (record.code !== TYPE.MX) return record;
      const exchange = nameBytes(changed(new WireReader(record.bytes, 2).name()));
      return { ...record, bytes: Buffer.concat([record.bytes.subarray(0, 2), exchange]) };
    }
    case TYPE.A:
    case TYPE.AAAA:
    case TYPE.TXT:
      return record;
  }
}

/** A rule may make of a name what is too long to be one: then it stays as it is. */
function isName(text: string): boolean {
  try {
    nameBytes(text);
    return true;
  } catch {
    return false;
  }
}

/** What the first that knows the name makes of it. */
export function firstOf(rewriters: readonly NameRewriter[], name: string): string | undefined {
  for (const rewriter of rewriters) {
    const made = rewriter(name.toLowerCase());
    if (made !== undefined && isName(made)) return made;
  }
  return undefined;
}
