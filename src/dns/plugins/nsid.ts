/** `nsid [DATA]`: who asks for it is told which server answered (RFC 5001). */
import { hostname } from 'node:os';
import { expectNoBody, expectOnce } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { OPTION } from '../wire/message.ts';

export const nsidPlugin: Plugin = {
  name: 'nsid',
  setup(directives) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const bytes = Buffer.from(directive.args.length === 0 ? hostname() : directive.args.join(' '));
    return {
      // Whoever asks for it has an option in the question, and such questions get no kept packets.
      transparent: true,
      wrap: (next) => async (query) => {
        const { edns } = query.message;
        const reply = await next(query);
        if (!reply || !edns?.options?.some(({ code }) => code === OPTION.NSID)) return reply;
        const own = reply.message.edns === edns ? [] : (reply.message.edns?.options ?? []);
        const options = [...own, { code: OPTION.NSID, bytes }];
        return { ...reply, message: { ...reply.message, edns: { ...edns, options } } };
      },
    };
  },
};
