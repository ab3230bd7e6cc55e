/** `any`: who asks for everything gets one small answer (RFC 8482). */
import { expectArgs, expectNoBody } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { RCODE, replyTo, TYPE } from '../wire/message.ts';

const HINFO = 13;
const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
const bytes = Buffer.concat([text('ANY obsoleted'), text('See RFC 8482')]);

export const anyPlugin: Plugin = {
  name: 'any',
  setup(directives) {
    for (const directive of directives) {
      expectArgs(directive, 0, 0, 'nothing behind it');
      expectNoBody(directive);
    }
    return {
      transparent: true,
      wrap: (next) => (query) => {
        const { name, type } = query.question;
        if (type !== TYPE.ANY) return next(query);
        const answers = [{ name, ttl: 8482, type: 'other' as const, code: HINFO, bytes }];
        return { message: { ...replyTo(query.message, RCODE.NOERROR), answers }, from: 'any' };
      },
    };
  },
};
