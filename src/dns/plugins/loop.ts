/** `loop`: detects that questions come back to this server. */
import { expectArgs, expectNoBody } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';

export const loopPlugin: Plugin = {
  name: 'loop',
  setup([directive]) {
    if (directive) {
      expectArgs(directive, 0, 0, 'nothing behind it');
      expectNoBody(directive);
    }
    return {};
  },
};
