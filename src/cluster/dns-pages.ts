/** What one may ask the DNS server of a node through the kubelet's port, which lets nobody in who may not run commands there: `nodes/proxy`. */
import type { Page } from '../kubelet/server/index.ts';
import { Refusal } from '../kubelet/server/index.ts';
import type { PodPlaces } from '../kubelet/run.ts';
import type { Pod } from '../api/types.ts';
import { DnsLogPage } from './dns-log-page.ts';
import { explainQuery, type DnsQueryOptions } from './dns-query-page.ts';
import type { NodeDns } from './node-dns.ts';

export function dnsPages(dns: NodeDns, pods: PodPlaces, options: DnsQueryOptions): Page {
  const log = new DnsLogPage((address) => podAt(pods.list(), address));
  return async ({ pathname, searchParams }, response) => {
    const running = await dns.running;
    switch (pathname.replace(/\/$/, '')) {
      case '/dns/query': {
        const report = await explainQuery(running, pods, searchParams, options);
        response.setHeader('Content-Type', 'application/json');
        response.end(`${JSON.stringify(report)}\n`);
        return;
      }
      case '/dns/log':
        await log.serve(running.runtime.tap, searchParams, response);
        return;
      default:
        throw new Refusal(404, '404 page not found');
    }
  };
}

/** Pods on the node's network share its addresses: what comes from there could be any of them, or none. */
export function podAt(pods: readonly Pod[], address: string): string | undefined {
  const pod = pods.find(
    ({ spec, status }) =>
      spec.hostNetwork !== true &&
      (status?.podIP === address || (status?.podIPs ?? []).some(({ ip }) => ip === address)),
  );
  return pod && `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
}
