/**
 * The zone of a cluster written out, every record of it, straight from the specification: what answers are compared with in tests. As slow and as
 * simple as can be.
 */
import type { EndpointSlice, Pod, Service } from '../../../api/types.ts';

export interface OracleCluster {
  readonly namespaces: readonly string[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly pods: readonly Pod[];
}

export interface OracleRules {
  readonly podsVerified: boolean;
  readonly endpointPodNames: boolean;
  readonly ignoreEmptyService: boolean;
  readonly namespaces?: readonly string[];
}

/** Data by type, as a zone file has it; in no order. A name without records is there for those below it. */
export type WrittenZone = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

interface Endpoint {
  readonly host: string;
  readonly address: string;
  readonly ports: readonly (readonly [label: string, port: number])[];
}

const ZONE = 'cluster.local.';
const typeOf = (address: string): string => (address.includes(':') ? 'AAAA' : 'A');

class Zone {
  readonly records = new Map<string, Map<string, string[]>>();

  exists(name: string): Map<string, string[]> {
    const records = this.records.get(name) ?? new Map<string, string[]>();
    this.records.set(name, records);
    // RFC 8020: what is above an existing name exists.
    if (name !== ZONE && name.endsWith(`.${ZONE}`)) this.exists(name.slice(name.indexOf('.') + 1));
    return records;
  }

  add(name: string, type: string, data: string): void {
    const records = this.exists(name);
    const those = records.get(type) ?? [];
    if (!those.includes(data)) records.set(type, [...those, data]);
  }
}

export function writeZone(cluster: OracleCluster, rules: OracleRules): WrittenZone {
  const zone = new Zone();
  const shown = (namespace = '') => rules.namespaces === undefined || rules.namespaces.includes(namespace);
  const services = cluster.services.filter(({ metadata }) => shown(metadata.namespace));
  zone.add(`dns-version.${ZONE}`, 'TXT', '"1.1.0"');
  for (const tree of ['svc', 'pod', 'ns.dns']) zone.exists(`${tree}.${ZONE}`);
  for (const namespace of cluster.namespaces.filter(shown)) {
    zone.exists(`${namespace}.svc.${ZONE}`);
    if (rules.podsVerified) zone.exists(`${namespace}.pod.${ZONE}`);
  }
  for (const { metadata, status } of rules.podsVerified ? cluster.pods : []) {
    const address = status?.podIP ?? '';
    const name = `${dashed(address)}.${metadata.namespace ?? ''}.pod.${ZONE}`;
    if (shown(metadata.namespace)) zone.add(name, typeOf(address), address);
  }
  for (const service of services) writeService(zone, service, endpointsOf(cluster, service, rules), rules);
  // A cluster IP has the one name (feature 4-031), whoever else has the address.
  const taken = new Set<string>();
  for (const service of services) {
    for (const address of clusterIpsOf(service)) {
      zone.add(reverseName(address), 'PTR', nameOf(service));
      taken.add(address);
    }
  }
  for (const service of services.filter(({ spec }) => spec.type !== 'ExternalName')) {
    for (const { host, address } of endpointsOf(cluster, service, rules)) {
      if (!taken.has(address)) zone.add(reverseName(address), 'PTR', `${host}.${nameOf(service)}`);
    }
  }
  return zone.records;
}

const nameOf = ({ metadata }: Service): string => `${metadata.name}.${metadata.namespace ?? ''}.svc.${ZONE}`;
const clusterIpsOf = ({ spec }: Service): string[] => (spec.clusterIPs ?? []).filter((address) => address !== 'None');
const dashed = (address: string): string => address.replace(/[.:]/g, '-');

function writeService(zone: Zone, service: Service, endpoints: readonly Endpoint[], rules: OracleRules): void {
  const { spec } = service;
  const name = nameOf(service);
  const isHeadless = spec.clusterIP === 'None';
  if (spec.type === 'ExternalName') {
    zone.add(name, 'CNAME', `${spec.externalName ?? ''}.`);
    return;
  }
  if (endpoints.length === 0 && (isHeadless || rules.ignoreEmptyService)) return;
  zone.exists(name);
  for (const { host, address } of endpoints) zone.add(`${host}.${name}`, typeOf(address), address);
  for (const [host, same] of Map.groupBy(endpoints, (endpoint) => endpoint.host)) {
    const targets = same.flatMap(({ ports }) =>
      ports.map(([, port]) => ({ label: '', data: `${String(port)} ${host}.${name}` })),
    );
    writePorts(zone, `${host}.${name}`, targets);
  }
  for (const address of isHeadless ? endpoints.map((endpoint) => endpoint.address) : clusterIpsOf(service)) {
    zone.add(name, typeOf(address), address);
  }
  const targets = isHeadless
    ? endpoints.flatMap(({ host, ports }) =>
        ports.map(([label, port]) => ({ label, data: `${String(port)} ${host}.${name}` })),
      )
    : (spec.ports ?? []).map((port) => ({
        label: labelOf(port.name, port.protocol),
        data: `${String(port.port)} ${name}`,
      }));
  writePorts(zone, name, targets);
}

/** SRV records of all ports, and of each named port. */
function writePorts(
  zone: Zone,
  name: string,
  targets: readonly { readonly label: string; readonly data: string }[],
): void {
  const named = targets.filter(({ label }) => label !== '');
  for (const [label, group] of [['', targets] as const, ...Map.groupBy(named, (target) => target.label)]) {
    const all = [...new Set(group.map(({ data }) => data))];
    for (const data of all) zone.add(`${label}${name}`, 'SRV', `0 ${weight(all.length)} ${data}`);
  }
}

const weight = (records: number): string => String(Math.max(1, Math.floor(100 / records)));

const labelOf = (name: string | undefined, protocol: string | undefined): string =>
  name ? `_${name}._${(protocol ?? 'TCP').toLowerCase()}.` : '';

function endpointsOf({ slices }: OracleCluster, service: Service, { endpointPodNames }: OracleRules): Endpoint[] {
  const { namespace, name: serviceName } = service.metadata;
  const own = slices.filter(
    ({ metadata }) =>
      metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === serviceName,
  );
  return own.flatMap(({ endpoints, ports = [] }) =>
    endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses, hostname, targetRef }) =>
        addresses.map((address): Endpoint => {
          const pod = endpointPodNames ? targetRef?.name : undefined;
          const host = hostname ?? pod ?? dashed(address);
          return {
            host,
            address,
            ports: ports.map(({ name, protocol, port }) => [labelOf(name, protocol), port ?? 0] as const),
          };
        }),
      ),
  );
}

/** Of an IPv4 address, or an IPv6 one of the form `fd00::9`. */
export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa.`;
  const [head = '', tail = ''] = address.split('::');
  const nibbles = `${head.padStart(4, '0')}${tail.padStart(28, '0')}`;
  return `${[...nibbles].reverse().join('.')}.ip6.arpa.`;
}
