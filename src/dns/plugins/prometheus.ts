/** `prometheus [ADDRESS]`: the figures of the whole server at /metrics; blocks with it have their questions counted (feature 4-062). */
import { expectArgs, refuse } from '../corefile/option.ts';
import { parseFaceAddress, type Face } from '../http-faces.ts';
import type { Plugin } from '../plugin.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export const prometheusPlugin: Plugin = {
  name: 'prometheus',
  setup([directive, second], { runtime }) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const [address = 'localhost:9153'] = expectArgs(directive, 0, 1, 'one address at most, such as :9153');
    if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :9153, found "${address}"`);
    let face: Face | undefined;
    return {
      transparent: true,
      start() {
        face = runtime.faces.claim(address, '/metrics', () => ({
          status: 200,
          body: runtime.metrics.render(),
          contentType: CONTENT_TYPE,
        }));
        return Promise.resolve();
      },
      async stop() {
        await face?.release();
      },
    };
  },
};
