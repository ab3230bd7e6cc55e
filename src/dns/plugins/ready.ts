/** `ready [ADDRESS]`: 200 OK at /ready once every plugin has been ready at the same time, 503 with the names of those that are not before that. */
import { expectArgs, refuse } from '../corefile/option.ts';
import { parseFaceAddress, type Face } from '../http-faces.ts';
import type { Plugin } from '../plugin.ts';

export const readyPlugin: Plugin = {
  name: 'ready',
  setup([directive, second], { runtime }) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const [address = ':8181'] = expectArgs(directive, 0, 1, 'one address at most, such as :8181');
    if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :8181, found "${address}"`);
    let face: Face | undefined;
    return {
      start() {
        face = runtime.faces.claim(address, '/ready', () => {
          const waiting = runtime.unready();
          return waiting.length === 0 ? { status: 200, body: 'OK' } : { status: 503, body: waiting.join(',') };
        });
        return Promise.resolve();
      },
      async stop() {
        await face?.release();
      },
    };
  },
};
