/** Which plugins answer where, as a figure: `coredns_plugin_enabled`. */
import { Value } from '../../lib/prometheus.ts';
import type { Server } from '../routing/chain.ts';
import type { DnsMetrics } from '../metrics.ts';

/** Of server blocks with `prometheus`; replaces what was told before. */
export function tellEnabled(metrics: DnsMetrics, servers: readonly Server[]): void {
  const enabled = metrics.add(new Value('gauge', 'coredns_plugin_enabled', 'Plugins of each server and zone.', []));
  enabled.clear();
  for (const { block, plugins } of servers) {
    if (!plugins.some(({ name }) => name === 'prometheus')) continue;
    for (const zone of block.zones) {
      for (const { name, instance } of plugins) {
        if (instance.wrap) enabled.set(1, { server: block.server, zone, view: '', name });
      }
    }
  }
}
