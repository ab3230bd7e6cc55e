/**
 * `ready [ADDRESS]`: 200 OK at /ready once every plugin has been ready, 503 with the names of those that have not (feature 4-057). While the
 * process ends it answers no more.
 */
import { CorefileError } from '../corefile/corefile-error.ts';
import type { Directive } from '../corefile/directive.ts';
import { expectArgs, expectOnce, readOptions, refuse } from '../corefile/option.ts';
import { parseFaceAddress, type Face } from '../http-faces.ts';
import type { Plugin } from '../plugin.ts';

export interface ReadyOptions {
  readonly address: string;
  /** Also once it was ready. */
  readonly asksOn: boolean;
}

export const readyPlugin: Plugin = {
  name: 'ready',
  setup(directives, { runtime }) {
    const { address, asksOn } = parseReady(expectOnce(directives));
    let waiting: readonly string[] | undefined;
    let face: Face | undefined;
    return {
      start() {
        face = runtime.faces.claim(address, '/ready', () => {
          const before = asksOn ? undefined : waiting;
          // Who has been ready is not asked again.
          waiting = runtime.unready().filter((name) => before?.includes(name) ?? true);
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

/** @throws CorefileError */
export function parseReady(directive: Directive): ReadyOptions {
  const [address = ':8181'] = expectArgs(directive, 0, 1, 'one address at most, such as :8181');
  if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :8181, found "${address}"`);
  let asksOn = false;
  readOptions(directive, {
    monitor(option) {
      const [until] = expectArgs(option, 1, 1, 'until-ready or continuously');
      if (until !== 'until-ready' && until !== 'continuously') {
        throw new CorefileError(option.place, `ready: expected until-ready or continuously, found "${until ?? ''}"`);
      }
      asksOn = until === 'continuously';
    },
  });
  return { address, asksOn };
}
