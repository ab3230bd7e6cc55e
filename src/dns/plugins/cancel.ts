/** `cancel [TIMEOUT]`: who asks is told after that time that there is no answer. */
import { expectArgs, expectDuration, expectNoBody, expectOnce, refuse } from '../corefile/option.ts';
import type { Plugin, Query, Reply } from '../plugin.ts';
import { RCODE, replyTo } from '../wire/message.ts';

/** ms; a little more than clients wait. */
const DEFAULT_MS = 5001;

export const cancelPlugin: Plugin = {
  name: 'cancel',
  setup(directives, { runtime: { clock } }) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const [text] = expectArgs(directive, 0, 1, 'a time');
    const timeoutMs = text === undefined ? DEFAULT_MS : expectDuration(directive, text);
    if (timeoutMs <= 0) refuse(directive, 'the time must be longer than 0s');
    return {
      transparent: true,
      wrap: (next) => async (query) => {
        let cancel = (): void => undefined;
        const late = new Promise<Reply>((resolve) => {
          cancel = clock.after(timeoutMs, () => {
            resolve(tooLate(query, timeoutMs));
          });
        });
        try {
          return await Promise.race([next(query), late]);
        } finally {
          cancel();
        }
      },
    };
  },
};

const tooLate = ({ message }: Query, timeoutMs: number): Reply => ({
  message: replyTo(message, RCODE.SERVFAIL),
  from: 'cancel',
  transient: true,
  problem: `no answer within ${String(timeoutMs)} ms`,
});
