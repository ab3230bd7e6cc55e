/** `minimal yes|no`: answers without the sections that nobody needs to use them. */
import { expectArgs, expectNoBody, expectOnce, refuse } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { RCODE } from '../wire/message.ts';

export const minimalPlugin: Plugin = {
  name: 'minimal',
  setup(directives) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const [text] = expectArgs(directive, 0, 1, 'yes or no');
    if (text === 'no') return {};
    if (text !== undefined && text !== 'yes') refuse(directive, `expected yes or no, found "${text}"`);
    return {
      transparent: true,
      wrap: (next) => async (query) => {
        const reply = await next(query);
        // A denial needs its SOA, and a delegation its servers.
        if (reply?.message.rcode !== RCODE.NOERROR || reply.message.answers.length === 0) return reply;
        return { ...reply, message: { ...reply.message, authorities: [], additionals: [] } };
      },
    };
  },
};
