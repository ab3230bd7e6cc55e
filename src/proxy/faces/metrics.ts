/** The proxy's figures, under the names and labels dashboards know from kube-proxy (3-148..3-150). What is not measured is not there. */
import type { Family } from '../../lib/ip.ts';
import type { KernelCounters, ProxyMode, SyncResult } from '../backend.ts';
import { ModeMetrics } from './mode-metrics.ts';
import { exponentialBounds, Histogram, linearBounds, Value, type Labels, type Metric } from '../../lib/prometheus.ts';

const SYNC_BOUNDS = exponentialBounds(0.001, 2, 15);
/** kube-proxy's, which begin at 0.25 s, and finer ones below: here a change is in force within milliseconds. */
const PROGRAMMING_BOUNDS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1],
  ...linearBounds(0.25, 0.25, 2),
  ...linearBounds(1, 1, 59),
  ...linearBounds(60, 5, 12),
  ...linearBounds(120, 30, 7),
];

const labelsOf = (family: Family): Labels => ({ ip_family: family });

export class ProxyMetrics {
  readonly #families: readonly Family[];
  readonly #all: Metric[] = [];
  readonly #sync: Histogram;
  readonly #fullSync: Histogram;
  readonly #partialSync: Histogram;
  readonly #programming: Histogram;
  readonly #lastSynced: Value;
  readonly #lastQueued: Value;
  readonly #serviceChanges: Value;
  readonly #servicesPending: Value;
  readonly #endpointChanges: Value;
  readonly #endpointsPending: Value;
  readonly #noLocalEndpoints: Value;
  readonly #ofMode: ModeMetrics;
  readonly #flowsDeleted: Value;
  readonly #flowsDuration: Histogram;
  readonly #foreignFlushes: Value;
  readonly #probes: Readonly<Record<'healthz' | 'livez', Value>>;

  constructor(mode: ProxyMode, families: readonly Family[]) {
    this.#families = families;
    this.#sync = this.#histogram('sync_proxy_rules_duration_seconds', 'How long syncs took', SYNC_BOUNDS);
    this.#fullSync = this.#histogram('sync_full_proxy_rules_duration_seconds', 'How long full syncs took', SYNC_BOUNDS);
    this.#partialSync = this.#histogram(
      'sync_partial_proxy_rules_duration_seconds',
      'How long syncs took that wrote only what changed',
      SYNC_BOUNDS,
    );
    this.#programming = this.#histogram(
      'network_programming_duration_seconds',
      'From a change of endpoints, as its slice says, to its rules being in force',
      PROGRAMMING_BOUNDS,
    );
    const gauge = (name: string, help: string) => this.#value('gauge', `sync_proxy_rules_${name}`, help);
    const counter = (name: string, help: string) => this.#value('counter', `sync_proxy_rules_${name}`, help);
    this.#lastSynced = gauge('last_timestamp_seconds', 'When the rules were last written, in seconds since 1970');
    this.#lastQueued = gauge('last_queued_timestamp_seconds', 'When a sync was last asked for, in seconds since 1970');
    this.#servicesPending = gauge('service_changes_pending', 'Changes of Services not yet in the rules');
    this.#serviceChanges = counter('service_changes_total', 'Changes of Services seen');
    this.#endpointsPending = gauge('endpoint_changes_pending', 'Changes of EndpointSlices not yet in the rules');
    this.#endpointChanges = counter('endpoint_changes_total', 'Changes of EndpointSlices seen');
    this.#noLocalEndpoints = this.#value(
      'gauge',
      'sync_proxy_rules_no_local_endpoints_total',
      'Service ports with a Local traffic policy and no endpoint on this node',
      families.flatMap((family) =>
        ['internal', 'external'].map((policy) => ({ traffic_policy: policy, ...labelsOf(family) })),
      ),
    );
    this.#ofMode = new ModeMetrics(mode, families);
    this.#all.push(this.#ofMode);
    this.#flowsDeleted = this.#value(
      'counter',
      'conntrack_reconciler_deleted_entries_total',
      'UDP flows deleted because they led nowhere',
    );
    this.#flowsDuration = this.#histogram(
      'conntrack_reconciler_sync_duration_seconds',
      'How long looking for stale UDP flows took',
      SYNC_BOUNDS,
    );
    this.#foreignFlushes = this.#value(
      'counter',
      'fairway_foreign_flushes_total',
      'Times another program took our rules away',
    );
    this.#probes = {
      healthz: this.#value('counter', 'proxy_healthz_total', 'Answers of /healthz, by HTTP status', []),
      livez: this.#value('counter', 'proxy_livez_total', 'Answers of /livez, by HTTP status', []),
    };
  }

  serviceChanged(family: Family): void {
    this.#serviceChanges.add(1, labelsOf(family));
    this.#servicesPending.add(1, labelsOf(family));
  }

  endpointsChanged(family: Family): void {
    this.#endpointChanges.add(1, labelsOf(family));
    this.#endpointsPending.add(1, labelsOf(family));
  }

  queued(now: number, family: Family): void {
    this.#lastQueued.set(now / 1000, labelsOf(family));
  }

  /** A sync takes all changes so far. */
  begun(family: Family): void {
    this.#servicesPending.set(0, labelsOf(family));
    this.#endpointsPending.set(0, labelsOf(family));
  }

  /** `seconds` the sync took; `now` in ms; `delays`: seconds since the changes of endpoints in it became true. */
  synced(family: Family, result: SyncResult, seconds: number, now: number, delays: readonly number[]): void {
    const labels = labelsOf(family);
    this.#sync.observe(seconds, labels);
    (result.kind === 'full' ? this.#fullSync : this.#partialSync).observe(seconds, labels);
    this.#lastSynced.set(now / 1000, labels);
    for (const delay of delays) this.#programming.observe(delay, labels);
    this.#ofMode.synced(family, result.figures ?? {});
  }

  failed(family: Family): void {
    this.#ofMode.failed(family);
  }

  /** Service ports whose policy is Local and that have no endpoint here, by policy. */
  noLocalEndpoints(family: Family, counts: Readonly<Record<'internal' | 'external', number>>): void {
    for (const policy of ['internal', 'external'] as const)
      this.#noLocalEndpoints.set(counts[policy], { traffic_policy: policy, ...labelsOf(family) });
  }

  flowsReconciled(family: Family, deleted: number, seconds: number): void {
    this.#flowsDeleted.add(deleted, labelsOf(family));
    this.#flowsDuration.observe(seconds, labelsOf(family));
  }

  flushed(family: Family): void {
    this.#foreignFlushes.add(1, labelsOf(family));
  }

  probed(probe: 'healthz' | 'livez', code: number): void {
    this.#probes[probe].add(1, { code: String(code) });
  }

  /** What the kernel counted, just before it is rendered. */
  counted(family: Family, counters: KernelCounters): void {
    this.#ofMode.counted(family, counters);
  }

  render(): string {
    return this.#all.map((metric) => metric.render()).join('');
  }

  #value(type: 'counter' | 'gauge', name: string, help: string, initial = this.#families.map(labelsOf)): Value {
    const value = new Value(type, `kubeproxy_${name}`, help, initial);
    this.#all.push(value);
    return value;
  }

  #histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(`kubeproxy_${name}`, help, bounds, this.#families.map(labelsOf));
    this.#all.push(histogram);
    return histogram;
  }
}
