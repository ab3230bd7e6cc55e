/** For tests of plugins: a Corefile is set up without sockets and asked; what comes back is in the words of zone files. */
import { buildServers } from './routing/chain.ts';
import { parseCorefile, type ParseOptions } from './corefile/parse.ts';
import { fakeRuntime } from './fake-runtime.ts';
import type { Asker, Runtime } from './plugin.ts';
import { startPlugins, stopPlugins } from './routing/plugin-life.ts';
import { respond, type Answered } from './routing/respond.ts';
import { Router } from './routing/router.ts';
import { CLASS_IN, queryFor, type Message } from './wire/message.ts';
import { parseType, rcodeName, recordText, typeName } from './wire/record-text.ts';

export interface CorefileAsker {
  readonly runtime: Runtime;
  /**
   * @param question `web.test A`; A where no type is given
   * @returns code and flags, then a line for each record; those of the authority section after `;`, additional ones after `+`
   */
  ask(question: string, change?: Partial<Message>, asker?: Partial<Asker>): Promise<string>;
  answer(question: string, change?: Partial<Message>, asker?: Partial<Asker>): Promise<Answered | undefined>;
  stop(): Promise<void>;
}

/** Plugins are started. @throws CorefileError */
export async function corefileAsker(
  text: string,
  change: Partial<Runtime> = {},
  options: Partial<ParseOptions> = {},
): Promise<CorefileAsker> {
  const runtime = fakeRuntime(change);
  const servers = buildServers(parseCorefile(text, { file: 'Corefile', ...options }), runtime);
  const router = new Router(servers);
  await startPlugins(servers);
  const answer: CorefileAsker['answer'] = (question, changed = {}, by = {}) => {
    const [name = '.', type = 'A'] = question.split(' ');
    const dotted = name.endsWith('.') ? name : `${name}.`;
    const query = { ...queryFor(7, { name: dotted, type: parseType(type) ?? 0, class: CLASS_IN }), ...changed };
    const asker: Asker = { address: '10.244.1.3', port: 40_000, transport: 'udp', ...by };
    return respond(query, asker, { router, clock: runtime.clock, metrics: runtime.metrics });
  };
  return {
    runtime,
    answer,
    ask: async (...args) => inWords((await answer(...args))?.message),
    stop: () => stopPlugins(servers, 'end'),
  };
}

export function inWords(message: Message | undefined): string {
  if (!message) return 'nothing';
  const { rcode, authoritative, truncated, recursionAvailable, questions, answers, authorities, additionals } = message;
  const flags = [authoritative && 'aa', truncated && 'tc', recursionAvailable && 'ra'].filter((flag) => flag !== false);
  const [question] = questions;
  return [
    [rcodeName(rcode), ...flags].join(' '),
    ...(question ? [`?${question.name} ${typeName(question.type)}`] : []),
    ...answers.map(recordText),
    ...authorities.map((record) => `;${recordText(record)}`),
    ...additionals.map((record) => `+${recordText(record)}`),
  ].join('\n');
}
