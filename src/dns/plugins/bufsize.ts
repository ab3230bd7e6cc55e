/** `bufsize [SIZE]`: no answer over UDP is larger, whatever the asker says it takes. */
import { expectArgs, expectNoBody, expectNumber, expectOnce } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';

const DEFAULT = 1232;

export const bufsizePlugin: Plugin = {
  name: 'bufsize',
  setup(directives) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const [text] = expectArgs(directive, 0, 1, 'bytes');
    const size = text === undefined ? DEFAULT : expectNumber(directive, text, 512, 4096);
    return {
      udpSize: size,
      transparent: true,
      wrap: (next) => (query) => {
        const { message } = query;
        if (!message.edns || message.edns.size <= size) return next(query);
        return next({ ...query, message: { ...message, edns: { ...message.edns, size } } });
      },
    };
  },
};
