/** `debug`: in CoreDNS it lets the process crash and writes more; here nothing crashes, and `FAIRWAY_LOG_LEVEL` says how much is written. */
import { expectArgs, expectNoBody } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';

export const debugPlugin: Plugin = {
  name: 'debug',
  setup(directives) {
    for (const directive of directives) {
      expectArgs(directive, 0, 0, 'nothing behind it');
      expectNoBody(directive);
    }
    return {};
  },
};
