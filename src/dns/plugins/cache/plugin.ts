/** `cache [TTL] [ZONES...]`: answers of others are remembered. What comes from the cluster is not: it is told when it changes. */
import { refuse } from '../../corefile/option.ts';
import type { Plugin } from '../../plugin.ts';
import { AnswerCache } from './answer-cache.ts';
import { cacheMetrics } from './cache-metrics.ts';
import { CacheHandler } from './handler.ts';
import { parseCache } from './options.ts';

export const cachePlugin: Plugin = {
  name: 'cache',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const { clock, changes } = block.runtime;
    const options = parseCache(directive, block.zones);
    const metrics = cacheMetrics(block, options.zones);
    const cache = new AnswerCache(options, { onEvict: metrics.eviction });
    let handler: CacheHandler | undefined;
    return {
      transparent: true,
      wrap: (next) => (handler = new CacheHandler({ options, cache, clock, metrics, changes }, next)).handle,
      stop() {
        handler?.stop();
        return Promise.resolve();
      },
    };
  },
};
