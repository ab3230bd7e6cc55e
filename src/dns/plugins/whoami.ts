/** `whoami`: tells who asks: the address as A or AAAA, the port and transport as SRV, all in the additional section. */
import { expectArgs, expectNoBody } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { RCODE, replyTo, TYPE } from '../wire/message.ts';

export const whoamiPlugin: Plugin = {
  name: 'whoami',
  setup(directives) {
    for (const directive of directives) {
      expectArgs(directive, 0, 0, 'nothing behind it');
      expectNoBody(directive);
    }
    return {
      wrap: () => (query) => {
        const { asker, question, message } = query;
        const { name } = question;
        const { address, port, transport } = asker;
        const type = address.includes(':') ? TYPE.AAAA : TYPE.A;
        const srv = { type: TYPE.SRV, priority: 0, weight: 0, port, target: '.' };
        const additionals = [
          { name, ttl: 0, type, address },
          { name: name === '.' ? `_${transport}.` : `_${transport}.${name}`, ttl: 0, ...srv },
        ];
        return {
          message: { ...replyTo(message, RCODE.NOERROR), authoritative: true, additionals },
          from: 'whoami',
          transient: true,
        };
      },
    };
  },
};
