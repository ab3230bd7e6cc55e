/** `chaos [VERSION] [AUTHORS...]`: what runs here, in the class CH where people look for that: `dig CH TXT version.bind`. */
import { hostname } from 'node:os';
import { expectNoBody, expectOnce } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { RCODE, replyTo, TYPE } from '../wire/message.ts';
import { packageVersion } from './prometheus.ts';

const CLASS_CH = 3;

export const chaosPlugin: Plugin = {
  name: 'chaos',
  setup(directives) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const [version = `Fairway-${packageVersion()}`, ...authors] = directive.args;
    const texts = new Map<string, readonly string[]>([
      ['version.bind.', [version]],
      ['version.server.', [version]],
      ['authors.bind.', authors],
      ['hostname.bind.', [hostname()]],
      ['id.server.', [hostname()]],
    ]);
    return {
      anyClass: true,
      transparent: true,
      wrap: (next) => (query) => {
        const { name, type, class: klass } = query.question;
        const found = klass === CLASS_CH && type === TYPE.TXT ? texts.get(name.toLowerCase()) : undefined;
        if (!found) return next(query);
        const answers = found.map((text) => ({
          name,
          ttl: 0,
          class: CLASS_CH,
          type: TYPE.TXT,
          texts: [text.slice(0, 255)],
        }));
        return { message: { ...replyTo(query.message, RCODE.NOERROR), answers }, from: 'chaos', transient: true };
      },
    };
  },
};
