/** The shape of rules most proxies load: a chain with an anonymous map for every Service, and a chain for every endpoint. For comparison alone. */
import { ipOf } from './nftables-cluster.ts';

export function kubeProxyShaped(services: number, endpoints: number): string {
  const chains: string[] = [];
  const entries: string[] = [];
  for (let at = 0; at < services; at++) {
    const name = String(at).padStart(6, '0');
    const targets: string[] = [];
    for (let number = 0; number < endpoints; number++) {
      const ip = ipOf(at * endpoints + number, 128);
      const own = `endpoint-${name}-${String(number)}`;
      chains.push(
        `\tchain ${own} {\n\t\tip saddr ${ip} jump mark-for-masquerade\n\t\tmeta l4proto tcp dnat to ${ip}:8080\n\t}\n`,
      );
      targets.push(`${String(number)} : goto ${own}`);
    }
    const ip = ipOf(at, 96);
    chains.push(
      `\tchain service-${name} {\n\t\tip daddr ${ip} tcp dport 80 ip saddr != 10.128.0.0/9 jump mark-for-masquerade\n\t\tnumgen random mod ${String(endpoints)} vmap { ${targets.join(', ')} }\n\t}\n`,
    );
    entries.push(`${ip} . tcp . 80 : goto service-${name}`);
  }
  return `table ip kube-proxy {
\tmap service-ips {
\t\ttype ipv4_addr . inet_proto . inet_service : verdict
\t\telements = { ${entries.join(',\n\t\t\t     ')} }
\t}
\tchain nat-prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tip daddr . meta l4proto . th dport vmap @service-ips
\t}
\tchain mark-for-masquerade {
\t\tmeta mark set meta mark | 0x00004000
\t}
${chains.join('')}}
`;
}
