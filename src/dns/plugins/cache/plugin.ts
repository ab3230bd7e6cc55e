/** `cache [TTL]`: forwarded answers are remembered. What comes from the cluster is not: it is told when it changes. */
import { expectArgs, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Handler, Plugin } from '../../plugin.ts';
import { replyTo } from '../../wire/message.ts';
import { AnswerCache } from './answer-cache.ts';

export const cachePlugin: Plugin = {
  name: 'cache',
  setup([directive, second], { runtime }) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const [ttl] = expectArgs(directive, 0, 1, 'seconds');
    readOptions(directive, {
      disable: (option) => void expectArgs(option, 1, Infinity, 'success or denial, and zones'),
    });
    const cache = new AnswerCache(ttl === undefined ? {} : { maxTtl: expectNumber(directive, ttl, 1, 3600) });
    return { transparent: true, wrap: (next) => remember(cache, runtime.clock, next) };
  },
};

/** Answers with authority are another plugin's own and left alone. */
export function remember(cache: AnswerCache, clock: Clock, next: Handler): Handler {
  return async (query) => {
    const { message, question } = query;
    const known = cache.get(question, clock.now());
    if (known) {
      const { rcode, answers, authorities, additionals, truncated } = known;
      return { message: { ...replyTo(message, rcode), truncated, answers, authorities, additionals }, from: 'cache' };
    }
    const reply = await next(query);
    const mayKeep = reply && !reply.holds && reply.transient !== true && !reply.message.authoritative;
    if (mayKeep) cache.put(question, reply.message, clock.now());
    return reply;
  };
}
