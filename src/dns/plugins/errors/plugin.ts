/** `errors`: what goes wrong in the chain behind it is logged; many of one kind as one line. */
import type { RE2JS } from 're2js';
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectDuration, expectOnce, readOptions, refuse } from '../../corefile/option.ts';
import { expectExpression } from '../../corefile/expression.ts';
import type { Log } from '../../../lib/log.ts';
import type { Handler, Plugin, Query, Reply } from '../../plugin.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { typeName } from '../../wire/record-text.ts';
import { Consolidation, LEVELS, type Level, type Pattern } from './consolidation.ts';

export const errorsPlugin: Plugin = {
  name: 'errors',
  setup(directives, { runtime }) {
    const { patterns, stacktrace } = parseErrors(expectOnce(directives));
    const write = (level: Level, text: string) => {
      writeLine(runtime.log, level, text);
    };
    const consolidation = new Consolidation(runtime.clock, write);
    const report = (query: Query, rcode: number, problem: string, level: Level = 'error') => {
      const line = `${String(rcode)} ${query.question.name} ${typeName(query.question.type)}: ${problem}`;
      const pattern = patterns.find(({ expression }) => expression.test(problem));
      if (pattern) consolidation.add(pattern, line);
      else write(level, line);
    };
    return {
      transparent: true,
      wrap: (next) => guarded(next, runtime.metrics.panics, stacktrace, report),
      stop() {
        consolidation.stop();
        return Promise.resolve();
      },
    };
  },
};

type Report = (query: Query, rcode: number, problem: string) => void;

function guarded(next: Handler, panics: { add(amount: number): void }, stacktrace: boolean, report: Report): Handler {
  return async (query) => {
    try {
      const reply = await next(query);
      if (reply?.problem !== undefined) report(query, reply.message.rcode, reply.problem);
      return reply;
    } catch (error) {
      panics.add(1);
      const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
      report(query, RCODE.SERVFAIL, stacktrace ? stack : message);
      return failed(query);
    }
  };
}

const failed = ({ message }: Query): Reply => ({
  message: replyTo(message, RCODE.SERVFAIL),
  from: 'errors',
  transient: true,
});

function writeLine(log: Log, level: Level, text: string): void {
  const fields = { plugin: 'errors' };
  if (level === 'warning') log.warn(fields, text);
  else log[level](fields, text);
}

interface ErrorsOptions {
  readonly patterns: readonly Pattern[];
  readonly stacktrace: boolean;
}

/** @throws CorefileError */
export function parseErrors(directive: Directive): ErrorsOptions {
  // CoreDNS takes the names of outputs of old here, and ignores them.
  expectArgs(directive, 0, 1, 'nothing, or stdout');
  if (directive.args[0] !== undefined && directive.args[0] !== 'stdout') refuse(directive, 'writes to stdout only');
  const patterns: Pattern[] = [];
  let stacktrace = false;
  readOptions(directive, {
    stacktrace: () => void (stacktrace = true),
    panicRecoveryStacktrace: () => void (stacktrace = true),
    consolidate: (option) => void patterns.push(parseConsolidate(option)),
  });
  return { patterns, stacktrace };
}

function parseConsolidate(option: Directive): Pattern {
  const [period = '', text = '', ...rest] = expectArgs(option, 2, 4, 'a time, an expression, a level and show_first');
  const showFirst = rest.at(-1) === 'show_first';
  const [level = 'error', more] = showFirst ? rest.slice(0, -1) : rest;
  const known = LEVELS.find((each) => each === level);
  if (!known || more !== undefined) {
    refuse(option, `expected a level (${LEVELS.join(', ')}) and show_first, found "${rest.join(' ')}"`);
  }
  const periodMs = expectDuration(option, period);
  const expression: RE2JS = expectExpression(option, text);
  return { text, expression, periodMs, period, level: known, showFirst };
}
