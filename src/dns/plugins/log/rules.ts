/** `log` as it is written: for which names, which answers, in which words. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { expectArgs, expectDuration, readOptions } from '../../corefile/option.ts';
import type { Message } from '../../wire/message.ts';
import { RCODE } from '../../wire/message.ts';
import { zoneArgs } from '../../routing/zone-list.ts';
import { COMMON, placeholders, unknownPlaceholder, writtenOut } from './format.ts';

export const CLASSES = ['success', 'denial', 'error'] as const;
export type AnswerClass = (typeof CLASSES)[number];

export interface LogRule {
  readonly zones: readonly string[];
  readonly format: string;
  readonly classes: ReadonlySet<AnswerClass>;
  /** ms: what took longer is logged whatever its class. */
  readonly minDurationMs?: number;
}

/** @throws CorefileError */
export function parseLog(directive: Directive, blockZones: readonly string[]): LogRule {
  const { args } = directive;
  const last = args.at(-1);
  // As CoreDNS tells them apart: what has a placeholder is a format.
  const hasFormat = last?.includes('{') ?? false;
  const format = writtenOut(hasFormat ? (last ?? COMMON) : COMMON);
  const unknown = unknownPlaceholder(format);
  if (unknown !== undefined) {
    const known = placeholders.map((name) => `{${name}}`).join(' ');
    throw new CorefileError(directive.place, `log: unknown placeholder {${unknown}}, there are ${known} and {/LABEL}`);
  }
  const classes = new Set<AnswerClass>();
  let minDurationMs: number | undefined;
  readOptions(directive, {
    class(option) {
      for (const name of expectArgs(option, 1, Infinity, 'success, denial, error or all')) {
        for (const each of classesOf(option, name)) classes.add(each);
      }
    },
    minDuration(option) {
      minDurationMs = expectDuration(option, expectArgs(option, 1, 1, 'a time')[0]);
    },
  });
  return {
    zones: zoneArgs(directive, hasFormat ? args.slice(0, -1) : args, blockZones),
    format,
    classes: classes.size === 0 ? new Set(CLASSES) : classes,
    ...(minDurationMs !== undefined && { minDurationMs }),
  };
}

function classesOf({ place }: Directive, name: string): readonly AnswerClass[] {
  if (name === 'all') return CLASSES;
  const found = CLASSES.find((each) => each === name);
  if (!found) throw new CorefileError(place, `log: unknown class "${name}", there are ${CLASSES.join(', ')} and all`);
  return [found];
}

export function classOf({ rcode, answers }: Pick<Message, 'rcode' | 'answers'>): AnswerClass {
  if (rcode === RCODE.NXDOMAIN) return 'denial';
  if (rcode !== RCODE.NOERROR) return 'error';
  return answers.length > 0 ? 'success' : 'denial';
}
