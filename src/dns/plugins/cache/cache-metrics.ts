/** The figures of `cache`, with CoreDNS' names and labels. */
import { Value } from '../../../lib/prometheus.ts';
import type { Block } from '../../plugin.ts';

export interface CacheMetrics {
  request(): void;
  hit(kind: 'success' | 'denial'): void;
  miss(): void;
  stale(): void;
  prefetch(): void;
  eviction(kind: 'success' | 'denial'): void;
  entries(sizes: { readonly success: number; readonly denial: number }): void;
}

export function cacheMetrics({ runtime, server }: Block, zones: readonly string[]): CacheMetrics {
  const where = { server, zones: zones.join(','), view: '' };
  const add = (kind: 'counter' | 'gauge', name: string, help: string) =>
    runtime.metrics.add(new Value(kind, `coredns_cache_${name}`, help, []));
  const counter = (name: string, help: string) => {
    const cell = add('counter', name, help).cell(where);
    return () => void cell.value++;
  };
  const byKind = (kind: 'counter' | 'gauge', name: string, help: string) => {
    const value = add(kind, name, help);
    const { server: _, ...rest } = where;
    return {
      success: value.cell({ server, type: 'success', ...rest }),
      denial: value.cell({ server, type: 'denial', ...rest }),
    };
  };
  const hits = byKind('counter', 'hits_total', 'Questions answered from the cache.');
  const evictions = byKind('counter', 'evictions_total', 'Answers that made room for others.');
  const entries = byKind('gauge', 'entries', 'Answers in the cache.');
  return {
    request: counter('requests_total', 'Questions that came to the cache.'),
    miss: counter('misses_total', 'Questions the cache had no answer to.'),
    stale: counter('served_stale_total', 'Questions answered with an answer that was too old.'),
    prefetch: counter('prefetch_total', 'Answers fetched anew before they were too old.'),
    hit: (kind) => void hits[kind].value++,
    eviction: (kind) => void evictions[kind].value++,
    entries({ success, denial }) {
      entries.success.value = success;
      entries.denial.value = denial;
    },
  };
}
