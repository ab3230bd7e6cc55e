/** What /metrics tells about cluster IPs and node ports (feature 1-127). */
import type { Gauge } from '../metrics.ts';
import type { ClusterIps } from './cluster-ips.ts';
import type { Count } from './counts.ts';
import type { NodePorts } from './node-ports.ts';

const IPS = 'kube_apiserver_clusterip_allocator';
const PORTS = 'kube_apiserver_nodeport_allocator';

export function allocatorGauges(ips: ClusterIps, ports: NodePorts): Gauge[] {
  const addresses = ips.usage();
  const { allocated, available } = ports.usage();
  return [
    ...addresses.map((each): Gauge => ({
      name: `${IPS}_allocated_ips`,
      help: 'Cluster IPs in use.',
      labels: { cidr: each.cidr },
      value: each.allocated,
    })),
    ...addresses.map((each): Gauge => ({
      name: `${IPS}_available_ips`,
      help: 'Cluster IPs left.',
      labels: { cidr: each.cidr },
      value: each.available,
    })),
    ...counters(`${IPS}_allocation_total`, 'Cluster IPs given.', ips.given.list()),
    ...counters(`${IPS}_allocation_errors_total`, 'Cluster IPs refused.', ips.refused.list()),
    { name: `${PORTS}_allocated_ports`, help: 'Node ports in use.', value: allocated },
    { name: `${PORTS}_available_ports`, help: 'Node ports left.', value: available },
    ...counters(`${PORTS}_allocation_total`, 'Node ports given.', ports.given.list()),
    ...counters(`${PORTS}_allocation_errors_total`, 'Node ports refused.', ports.refused.list()),
  ];
}

function counters(name: string, help: string, counts: readonly Count[]): Gauge[] {
  return counts.map(({ range, scope, value }) => ({
    name,
    help,
    type: 'counter',
    labels: { ...(range && { cidr: range }), scope },
    value,
  }));
}
