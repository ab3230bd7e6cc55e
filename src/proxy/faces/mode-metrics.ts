/** Figures that only some modes have (3-149, 3-150). ipvs and userspace restore iptables rules too, and have kube-proxy's names for that. */
import type { Family } from '../../lib/ip.ts';
import type { KernelCounters, ProxyMode, SyncFigures } from '../backend.ts';
import { Value, type Labels } from '../../lib/prometheus.ts';

export class ModeMetrics {
  readonly #failures: Value;
  readonly #partialFailures: Value | undefined;
  readonly #cleanupFailures: Value | undefined;
  readonly #tableTotal: Value | undefined;
  readonly #tableLast: Value | undefined;
  readonly #invalidDropped: Value | undefined;

  constructor(mode: ProxyMode, families: readonly Family[]) {
    const labels = families.map(labelsOf);
    const counter = (name: string, help: string, initial: readonly Labels[] = labels) =>
      new Value('counter', `kubeproxy_${name}`, help, initial);
    if (mode === 'nftables') {
      const prefix = 'sync_proxy_rules_nftables';
      this.#failures = counter(`${prefix}_sync_failures_total`, 'Syncs that could not be written');
      this.#cleanupFailures = counter(`${prefix}_cleanup_failures_total`, 'Clean-ups after a sync that failed');
      return;
    }
    const prefix = 'sync_proxy_rules_iptables';
    const gauge = (name: string, help: string) => new Value('gauge', `kubeproxy_${prefix}_${name}`, help, []);
    this.#failures = counter(`${prefix}_restore_failures_total`, 'Syncs that could not be written');
    this.#partialFailures = counter(
      `${prefix}_partial_restore_failures_total`,
      'Partial syncs that failed and became full ones',
    );
    this.#tableTotal = gauge('total', 'Rules of ours, by table');
    this.#tableLast = gauge('last', 'Rules the last sync wrote, by table');
    const dropped = 'Packets dropped because conntrack called them INVALID';
    this.#invalidDropped = counter('iptables_ct_state_invalid_dropped_packets_total', dropped, []);
  }

  failed(family: Family): void {
    this.#failures.add(1, labelsOf(family));
  }

  synced(family: Family, { partialFailures = 0, cleanupFailures = 0, tables = {} }: SyncFigures): void {
    const labels = labelsOf(family);
    this.#partialFailures?.add(partialFailures, labels);
    this.#cleanupFailures?.add(cleanupFailures, labels);
    for (const [table, { total, last }] of Object.entries(tables)) {
      this.#tableTotal?.set(total, { table, ...labels });
      this.#tableLast?.set(last, { table, ...labels });
    }
  }

  /** As the kernel says now: counters go on where an older proxy's rules were. */
  counted(family: Family, { invalidDropped }: KernelCounters): void {
    if (invalidDropped !== undefined) this.#invalidDropped?.set(invalidDropped, labelsOf(family));
  }

  render(): string {
    const all = [
      ...[this.#failures, this.#partialFailures, this.#cleanupFailures],
      ...[this.#tableTotal, this.#tableLast, this.#invalidDropped],
    ];
    return all.map((metric) => metric?.render() ?? '').join('');
  }
}

const labelsOf = (family: Family): Labels => ({ ip_family: family });
