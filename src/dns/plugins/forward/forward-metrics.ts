/** The figures of `forward`, with CoreDNS' names and labels. */
import { Histogram, Value } from '../../../lib/prometheus.ts';
import { TIME_BOUNDS, type DnsMetrics } from '../../metrics.ts';
import { rcodeName } from '../../wire/record-text.ts';

export interface ForwardMetrics {
  /** `to`: as `10.0.0.1:53`. */
  answered(to: string, rcode: number, ms: number): void;
  probeFailed(to: string): void;
  connection(to: string, proto: string, isReused: boolean): void;
  rejected(): void;
  allDown(): void;
}

export function forwardMetrics(metrics: Pick<DnsMetrics, 'add'>): ForwardMetrics {
  const name = { proxy_name: 'forward' };
  const counter = (suffix: string, help: string, initial?: []) =>
    metrics.add(new Value('counter', `coredns_${suffix}`, help, initial));
  const durations = metrics.add(
    new Histogram('coredns_proxy_request_duration_seconds', 'Time an upstream took to answer.', TIME_BOUNDS, []),
  );
  const probes = counter('proxy_healthcheck_failures_total', 'Health checks an upstream did not answer.', []);
  const hits = counter('proxy_conn_cache_hits_total', 'Questions that went over an open connection.', []);
  const misses = counter('proxy_conn_cache_misses_total', 'Questions that a connection was opened for.', []);
  const rejects = counter('forward_max_concurrent_rejects_total', 'Questions refused because too many were under way.');
  const broken = counter('forward_healthcheck_broken_total', 'Questions for which no upstream was well.');
  return {
    answered: (to, rcode, ms) => {
      durations.observe(ms / 1000, { ...name, to, rcode: rcodeName(rcode) });
    },
    probeFailed: (to) => {
      probes.add(1, { ...name, to });
    },
    connection: (to, proto, isReused) => {
      (isReused ? hits : misses).add(1, { ...name, to, proto });
    },
    rejected: () => {
      rejects.add(1);
    },
    allDown: () => {
      broken.add(1);
    },
  };
}
