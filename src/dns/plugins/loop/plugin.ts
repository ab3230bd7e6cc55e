/** `loop`: finds out whether the upstreams forward to this server. Names they would be asked for then get SERVFAIL, and the rest goes on as before. */
import { expectArgs, expectNoBody, refuse } from '../../corefile/option.ts';
import type { Plugin } from '../../plugin.ts';
import { LoopWatch } from './loop-watch.ts';

export const loopPlugin: Plugin = {
  name: 'loop',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    expectArgs(directive, 0, 0, 'nothing behind it');
    expectNoBody(directive);
    let watch: LoopWatch | undefined;
    return {
      transparent: true,
      wrap: (next) => (watch = new LoopWatch(block, next)).handle,
      start() {
        watch?.start();
        return Promise.resolve();
      },
      stop() {
        watch?.stop();
        return Promise.resolve();
      },
    };
  },
};
