/** `health [ADDRESS]`: 200 OK at /health as long as the process runs; with `lameduck` it goes on answering a while before it ends (feature 4-057). */
import { expectArgs, expectDuration, readOptions, refuse } from '../corefile/option.ts';
import type { Directive } from '../corefile/directive.ts';
import { parseFaceAddress, type Face } from '../http-faces.ts';
import type { Plugin } from '../plugin.ts';

export interface HealthOptions {
  readonly address: string;
  /** ms; 0: ends at once. */
  readonly lameduckMs: number;
}

export const healthPlugin: Plugin = {
  name: 'health',
  setup([directive, second], { runtime }) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const { address } = parseHealth(directive);
    let face: Face | undefined;
    return {
      start() {
        face = runtime.faces.claim(address, '/health', () => ({ status: 200, body: 'OK' }));
        return Promise.resolve();
      },
      async stop() {
        await face?.release();
      },
    };
  },
};

/** @throws CorefileError */
export function parseHealth(directive: Directive): HealthOptions {
  const [address = ':8080'] = expectArgs(directive, 0, 1, 'one address at most, such as :8080');
  if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :8080, found "${address}"`);
  let lameduckMs = 0;
  readOptions(directive, {
    lameduck(option) {
      lameduckMs = expectDuration(option, expectArgs(option, 1, 1, 'a time')[0]);
    },
  });
  return { address, lameduckMs };
}
