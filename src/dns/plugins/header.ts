/** `header { [query|response] set|clear FLAGS... }`: flags of questions and answers, in the order of the lines. */
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive } from '../corefile/directive.ts';
import { expectArgs } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import type { Message } from '../wire/message.ts';

const FLAGS = { aa: 'authoritative', ra: 'recursionAvailable', rd: 'recursionDesired' } as const;
type FlagName = keyof typeof FLAGS;
const isFlag = (text: string): text is FlagName => Object.hasOwn(FLAGS, text);

type Change = Partial<Pick<Message, (typeof FLAGS)[FlagName]>>;

interface Changes {
  query: Change;
  response: Change;
}

export const headerPlugin: Plugin = {
  name: 'header',
  setup(directives) {
    const changes = parseHeader(directives);
    return {
      transparent: true,
      wrap: (next) => async (query) => {
        const reply = await next({ ...query, message: { ...query.message, ...changes.query } });
        return reply && { ...reply, flags: { ...reply.flags, ...changes.response } };
      },
    };
  },
};

/** @throws CorefileError */
function parseHeader(directives: readonly Directive[]): Changes {
  const changes: Changes = { query: {}, response: {} };
  for (const directive of directives) {
    expectArgs(directive, 0, 0, 'nothing but a block');
    for (const { name, args, place } of directive.body ?? []) {
      const hasSelector = name === 'query' || name === 'response';
      const [action = '', ...flags] = hasSelector ? args : [name, ...args];
      if (action !== 'set' && action !== 'clear') {
        throw new CorefileError(place, `header: unknown action "${action}", there are set, clear`);
      }
      const of = hasSelector ? name : 'response';
      if (flags.length === 0) throw new CorefileError(place, `header: expected flags behind ${action}: aa, ra, rd`);
      for (const flag of flags.map((text) => text.toLowerCase())) {
        if (!isFlag(flag)) throw new CorefileError(place, `header: unknown flag "${flag}", there are aa, ra, rd`);
        changes[of] = { ...changes[of], [FLAGS[flag]]: action === 'set' };
      }
    }
  }
  return changes;
}
