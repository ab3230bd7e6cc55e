/** `log [NAMES...] [FORMAT]`: a line for every question. */
import type { Handler, Plugin, Query, Reply, Runtime } from '../../plugin.ts';
import { encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { rcodeName, typeName } from '../../wire/record-text.ts';
import { longestZone } from '../../routing/zone-list.ts';
import { formatLine } from './format.ts';
import { classOf, parseLog, type LogRule } from './rules.ts';

export const logPlugin: Plugin = {
  name: 'log',
  setup(directives, { zones, runtime }) {
    const rules = directives.map((directive) => parseLog(directive, zones));
    return { transparent: rules.every(leavesOutAnswers), wrap: (next) => logged(rules, runtime, next) };
  },
};

/** Answers that are kept in front of the chain are none of its business: they are fast, and no errors. */
const leavesOutAnswers = ({ classes }: LogRule): boolean => !classes.has('success') && !classes.has('denial');

function logged(rules: readonly LogRule[], runtime: Runtime, next: Handler): Handler {
  return async (query) => {
    const began = performance.now();
    const reply = await next(query);
    if (reply) write(rules, runtime, query, reply, performance.now() - began);
    return reply;
  };
}

/** The first rule that the name is in and that wants the answer writes it. */
function write(rules: readonly LogRule[], { log }: Runtime, query: Query, reply: Reply, durationMs: number): void {
  const name = query.message.questions[0]?.name ?? '.';
  const answerClass = classOf(reply.message);
  const rule = rules.find(
    ({ zones, classes, minDurationMs = Infinity }) =>
      longestZone(zones, name) !== undefined && (classes.has(answerClass) || durationMs >= minDurationMs),
  );
  if (!rule) return;
  const sizes = { request: sizeOf(query.message), response: sizeOf(reply.message) };
  const fields = {
    plugin: 'log',
    client: query.asker.address,
    name,
    type: typeName(query.message.questions[0]?.type ?? 0),
    rcode: rcodeName(reply.message.rcode),
    from: reply.from,
  };
  log.info(fields, formatLine(rule.format, { query, reply, sizes, durationMs }));
}

const sizeOf = (message: Query['message']): number => encodeMessage(message, MAX_MESSAGE).length;
