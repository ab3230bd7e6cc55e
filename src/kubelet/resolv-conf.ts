/** What a pod's /etc/resolv.conf says (features 4-063..4-074). Pure. */
import type { Core, Pod } from '../api/types.ts';
import type { MakePodDns, NodeDns, PodDns } from './parts.ts';

const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
/** Of one search domain: some resolvers (glibc 2.28) abort on a longer one. */
const MAX_SEARCH_LENGTH = 253;

/** Reads a resolv.conf; like the resolver, the last `search` or `options` line counts. A search of `.` and trailing dots are dropped (4-074). */
export function parseResolvConf(text: string): PodDns {
  const dns: PodDns = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) dns.servers.push(words[0]);
    if (keyword === 'search' || keyword === 'domain') {
      dns.searches = words.map((word) => word.replace(/\.$/, '')).filter((word) => word !== '');
    }
    if (keyword === 'options') dns.options = words;
  }
  return dns;
}

export const podDns: MakePodDns = (pod, node) => truncateDns(wantedDns(pod, node)).dns;

/** What could not be as asked, for a Warning event on the pod, and for one on the node where it concerns that too. */
export interface DnsWarning {
  readonly reason: string;
  readonly message: string;
  readonly onNode?: string;
}

/** DNSConfigForming where something had to be cut off (4-070), MissingClusterDNS where the node has none (4-072). */
export function dnsWarnings(pod: Pod, node: NodeDns): DnsWarning[] {
  const warnings = truncateDns(wantedDns(pod, node)).messages.map((message): DnsWarning => ({
    reason: 'DNSConfigForming',
    message,
  }));
  if (wantsClusterDns(pod) && node.clusterDns.length === 0) {
    const { name, namespace = '', uid = '' } = pod.metadata;
    const onNode =
      'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.';
    const message = `pod: "${name}_${namespace}(${uid})". ${onNode}`;
    warnings.unshift({ reason: 'MissingClusterDNS', message, onNode });
  }
  return warnings;
}

/** Whether the cluster's DNS is asked for, whatever the node has (4-063..4-065). */
function wantsClusterDns({ spec }: Pod): boolean {
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  return policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && spec.hostNetwork !== true);
}

function wantedDns(pod: Pod, node: NodeDns): PodDns {
  const { spec } = pod;
  let dns: PodDns;
  if (spec.dnsPolicy === 'None') dns = { servers: [], searches: [], options: [] };
  else if (wantsClusterDns(pod) && node.clusterDns.length > 0) {
    const domain = node.clusterDomain;
    const namespace = pod.metadata.namespace ?? 'default';
    const own = domain === '' ? [] : [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
    dns = { servers: [...node.clusterDns], searches: unique([...own, ...node.host.searches]), options: ['ndots:5'] };
  } else {
    dns = { ...node.host };
    // A node without a nameserver would make the resolver ask loopback inside the pod, where nobody listens.
    if (dns.servers.length === 0) dns.servers = ['127.0.0.1'];
  }
  return spec.dnsConfig ? merge(dns, spec.dnsConfig) : dns;
}

function merge(dns: PodDns, config: Core.PodDNSConfig): PodDns {
  const options = new Map(dns.options.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name = '', value } of config.options ?? []) {
    options.set(name, value ? `${name}:${value}` : name);
  }
  return {
    servers: unique([...dns.servers, ...(config.nameservers ?? [])]),
    searches: unique([...dns.searches, ...(config.searches ?? [])]),
    options: [...options.values()],
  };
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

function truncateDns(dns: PodDns): { dns: PodDns; messages: string[] } {
  const messages: string[] = [];
  const servers = dns.servers.slice(0, MAX_SERVERS);
  if (servers.length < dns.servers.length) {
    messages.push(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    );
  }
  let searches = dns.searches.slice(0, MAX_SEARCHES).filter((search) => search.length <= MAX_SEARCH_LENGTH);
  while (searches.join(' ').length > MAX_SEARCH_CHARACTERS) searches = searches.slice(0, -1);
  if (searches.length < dns.searches.length) {
    messages.push(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    );
  }
  return { dns: { servers, searches, options: dns.options }, messages };
}
