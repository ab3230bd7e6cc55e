/** The proxy's figures in the Prometheus text format, under the names dashboards know (3-148, 3-149). */

/** Upper bounds in seconds. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class Histogram {
  readonly #counts = BUCKETS.map(() => 0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    for (const [at, bound] of BUCKETS.entries()) if (seconds <= bound) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  render(name: string): string {
    const lines = BUCKETS.map((bound, at) => `${name}_bucket{le="${String(bound)}"} ${String(this.#counts[at] ?? 0)}`);
    lines.push(`${name}_bucket{le="+Inf"} ${String(this.#count)}`);
    return [
      `# TYPE ${name} histogram`,
      ...lines,
      `${name}_sum ${String(this.#sum)}`,
      `${name}_count ${String(this.#count)}`,
      '',
    ].join('\n');
  }
}

export class ProxyMetrics {
  readonly sync = new Histogram();
  readonly fullSync = new Histogram();
  readonly partialSync = new Histogram();
  /** From the moment a change became true in the world (as its slice says) to its rules being in force. */
  readonly programming = new Histogram();
  restoreFailures = 0;
  foreignFlushes = 0;
  serviceChanges = 0;
  endpointChanges = 0;
  pendingServiceChanges = 0;
  pendingEndpointChanges = 0;
  deletedFlows = 0;
  /** Service ports whose policy is Local and that have no endpoint here, by policy. */
  noLocalEndpoints = { internal: 0, external: 0 };
  lastSyncAt = 0;
  lastQueuedAt = 0;

  render(): string {
    const gauge = (name: string, value: number, labels = '', kind = 'gauge') =>
      `# TYPE kubeproxy_${name} ${kind}\nkubeproxy_${name}${labels} ${String(value)}\n`;
    const counter = (name: string, value: number) => gauge(name, value, '', 'counter');
    const iptables = 'sync_proxy_rules_iptables';
    return [
      this.sync.render('kubeproxy_sync_proxy_rules_duration_seconds'),
      this.fullSync.render('kubeproxy_sync_full_proxy_rules_duration_seconds'),
      this.partialSync.render('kubeproxy_sync_partial_proxy_rules_duration_seconds'),
      this.programming.render('kubeproxy_network_programming_duration_seconds'),
      gauge('sync_proxy_rules_last_timestamp_seconds', this.lastSyncAt / 1000),
      gauge('sync_proxy_rules_last_queued_timestamp_seconds', this.lastQueuedAt / 1000),
      gauge('sync_proxy_rules_service_changes_pending', this.pendingServiceChanges),
      counter('sync_proxy_rules_service_changes_total', this.serviceChanges),
      gauge('sync_proxy_rules_endpoint_changes_pending', this.pendingEndpointChanges),
      counter('sync_proxy_rules_endpoint_changes_total', this.endpointChanges),
      gauge('sync_proxy_rules_no_local_endpoints_total', this.noLocalEndpoints.internal, '{traffic_policy="internal"}'),
      `kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external"} ${String(this.noLocalEndpoints.external)}\n`,
      counter(`${iptables}_restore_failures_total`, this.restoreFailures),
      counter('conntrack_reconciler_deleted_entries_total', this.deletedFlows),
      counter('fairway_foreign_flushes_total', this.foreignFlushes),
    ].join('');
  }
}
