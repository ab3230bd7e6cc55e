import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PROXY_MODES, type ProxyMode, type SyncResult } from '../backend.ts';
import { ProxyMetrics } from './metrics.ts';
import { renderProcessMetrics } from '../../lib/process-metrics.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format line by line, and fails on any line it does not understand or that stands in the wrong place. */
function parseMetrics(text: string): Map<string, { type: string; samples: Map<string, Sample[]> }> {
  const families = new Map<string, { type: string; samples: Map<string, Sample[]> }>();
  let helped = '';
  let current = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP ([a-z_]+) \S.*$/.exec(line);
    if (help) {
      helped = help[1]!;
      continue;
    }
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      assert.equal(type[1], helped, `${line} has no HELP before it`);
      assert.ok(!families.has(helped), `${helped} comes twice`);
      current = helped;
      families.set(current, { type: type[2]!, samples: new Map() });
      continue;
    }
    const sample = /^([a-z_]+)(?:\{([^{}]*)\})? (\+Inf|-?[\d.]+(?:e[+-]?\d+)?)$/.exec(line);
    assert.ok(sample, `not understood: ${line}`);
    const name = sample[1]!;
    const family = families.get(current)!;
    const allowed = family.type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => current + end) : [current];
    assert.ok(allowed.includes(name), `${name} does not belong to ${current}`);
    const labels: Record<string, string> = {};
    for (const pair of (sample[2] ?? '').split(',').filter(Boolean)) {
      const [, label, value] = /^([a-z_]+)="([^"\\]*)"$/.exec(pair) ?? assert.fail(`label not understood: ${pair}`);
      labels[label!] = value!;
    }
    family.samples.set(name, [...(family.samples.get(name) ?? []), { labels, value: Number(sample[3]) }]);
  }
  return families;
}

const partial: SyncResult = { kind: 'partial', changes: 1, refused: [] };

/** 3-148: of every mode. Those with `policy` or `code` have a label more. */
const EVERY_MODE = [
  'sync_proxy_rules_duration_seconds',
  'sync_full_proxy_rules_duration_seconds',
  'sync_partial_proxy_rules_duration_seconds',
  'sync_proxy_rules_last_timestamp_seconds',
  'sync_proxy_rules_last_queued_timestamp_seconds',
  'sync_proxy_rules_endpoint_changes_pending',
  'sync_proxy_rules_endpoint_changes_total',
  'sync_proxy_rules_service_changes_pending',
  'sync_proxy_rules_service_changes_total',
  'sync_proxy_rules_no_local_endpoints_total',
  'network_programming_duration_seconds',
  'conntrack_reconciler_sync_duration_seconds',
  'conntrack_reconciler_deleted_entries_total',
];
const BY_IPTABLES = [
  'sync_proxy_rules_iptables_restore_failures_total',
  'sync_proxy_rules_iptables_partial_restore_failures_total',
];
const OF_MODE: Readonly<Record<ProxyMode, readonly string[]>> = {
  nftables: ['sync_proxy_rules_nftables_sync_failures_total', 'sync_proxy_rules_nftables_cleanup_failures_total'],
  iptables: BY_IPTABLES,
  ipvs: BY_IPTABLES,
  userspace: BY_IPTABLES,
};

for (const mode of PROXY_MODES) {
  it(`every line of the metrics of mode ${mode} can be read, and each name has both families from the start`, () => {
    const families = parseMetrics(new ProxyMetrics(mode, ['IPv4', 'IPv6']).render());
    for (const name of [...EVERY_MODE, ...OF_MODE[mode]]) {
      const found = families.get(`kubeproxy_${name}`);
      assert.ok(found, name);
      const seen = new Set([...found.samples.values()].flat().map((sample) => sample.labels['ip_family']));
      assert.deepEqual([...seen], ['IPv4', 'IPv6'], name);
    }
    const foreign = mode === 'nftables' ? /iptables/ : /nftables/;
    for (const name of families.keys()) assert.doesNotMatch(name, foreign);
    for (const name of ['proxy_healthz_total', 'proxy_livez_total']) assert.ok(families.has(`kubeproxy_${name}`));
  });
}

it('what the process costs can be read as well', () => {
  const families = parseMetrics(renderProcessMetrics());
  const [memory] = families.get('process_resident_memory_bytes')?.samples.get('process_resident_memory_bytes') ?? [];
  assert.ok(memory && memory.value > 1e6);
  assert.deepEqual([...families.keys()].sort(), [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
  ]);
});

it('counts what happens, for the family it happens to', () => {
  const metrics = new ProxyMetrics('iptables', ['IPv4', 'IPv6']);
  const value = (name: string, labels: Record<string, string>): number | undefined => {
    const base = `kubeproxy_${name}`;
    const family =
      parseMetrics(metrics.render()).get(base.replace(/_(?:bucket|sum|count)$/, '')) ??
      parseMetrics(metrics.render()).get(base);
    return family?.samples
      .get(base)
      ?.find((sample) => Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted))?.value;
  };
  const v4 = { ip_family: 'IPv4' };
  const v6 = { ip_family: 'IPv6' };
  metrics.serviceChanged('IPv4');
  metrics.serviceChanged('IPv6');
  metrics.endpointsChanged('IPv4');
  assert.equal(value('sync_proxy_rules_service_changes_pending', v6), 1);
  assert.equal(value('sync_proxy_rules_endpoint_changes_pending', v4), 1);
  assert.equal(value('sync_proxy_rules_endpoint_changes_total', v6), 0);
  metrics.begun('IPv4');
  assert.equal(value('sync_proxy_rules_service_changes_pending', v4), 0);
  assert.equal(value('sync_proxy_rules_service_changes_pending', v6), 1);
  assert.equal(value('sync_proxy_rules_service_changes_total', v4), 1);
  const tables = { nat: { total: 40, last: 3 } };
  metrics.synced('IPv4', { ...partial, figures: { partialFailures: 1, tables } }, 0.003, 7000, [0.2]);
  metrics.synced('IPv4', { ...partial, kind: 'full' }, 100, 8000, []);
  assert.equal(value('sync_proxy_rules_duration_seconds_bucket', { ...v4, le: '0.002' }), 0);
  assert.equal(value('sync_proxy_rules_duration_seconds_bucket', { ...v4, le: '0.004' }), 1);
  assert.equal(value('sync_proxy_rules_duration_seconds_bucket', { ...v4, le: '16.384' }), 1);
  assert.equal(value('sync_proxy_rules_duration_seconds_bucket', { ...v4, le: '+Inf' }), 2);
  assert.equal(value('sync_proxy_rules_duration_seconds_count', v6), 0);
  assert.equal(value('sync_full_proxy_rules_duration_seconds_sum', v4), 100);
  assert.equal(value('sync_partial_proxy_rules_duration_seconds_count', v4), 1);
  assert.equal(value('sync_proxy_rules_last_timestamp_seconds', v4), 8);
  assert.equal(value('network_programming_duration_seconds_bucket', { ...v4, le: '0.25' }), 1);
  assert.equal(value('sync_proxy_rules_iptables_partial_restore_failures_total', v4), 1);
  assert.equal(value('sync_proxy_rules_iptables_total', { ...v4, table: 'nat' }), 40);
  assert.equal(value('sync_proxy_rules_iptables_last', { ...v4, table: 'nat' }), 3);
  metrics.counted('IPv4', { invalidDropped: 9 });
  assert.equal(value('iptables_ct_state_invalid_dropped_packets_total', v4), 9);
  metrics.failed('IPv6');
  assert.equal(value('sync_proxy_rules_iptables_restore_failures_total', v6), 1);
  metrics.noLocalEndpoints('IPv6', { internal: 2, external: 5 });
  assert.equal(value('sync_proxy_rules_no_local_endpoints_total', { ...v6, traffic_policy: 'external' }), 5);
  metrics.flowsReconciled('IPv4', 3, 0.01);
  assert.equal(value('conntrack_reconciler_deleted_entries_total', v4), 3);
  metrics.probed('healthz', 503);
  metrics.probed('healthz', 503);
  assert.equal(value('proxy_healthz_total', { code: '503' }), 2);
});
