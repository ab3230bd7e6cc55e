/** `errors`: what goes wrong in the chain behind it is logged. */
import type { Plugin } from '../plugin.ts';
import { RCODE, replyTo } from '../wire/message.ts';
import { typeName } from '../wire/record-text.ts';

export const errorsPlugin: Plugin = {
  name: 'errors',
  setup: (_, { runtime }) => ({
    transparent: true,
    wrap: (next) => async (query) => {
      try {
        return await next(query);
      } catch (error) {
        const { name, type } = query.question;
        runtime.log.error({ err: error, name, type: typeName(type) }, 'a question could not be answered');
        return { message: replyTo(query.message, RCODE.SERVFAIL), from: 'errors' };
      }
    },
  }),
};
