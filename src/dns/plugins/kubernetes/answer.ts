/**
 * The answer to a question about the cluster, after the Kubernetes DNS specification 1.1.0 and, where that leaves room, as CoreDNS does it. Pure:
 * the same view and question give the same records in the same order.
 */
import type { Service } from '../../../api/types.ts';
import { formatIp, parseIp, type Ip } from '../../../lib/ip.ts';
import { clusterIpsOf, serviceNameOf, type ClusterView } from './cluster-view.ts';
import { RCODE, TYPE, type Question, type Record, type RecordData } from '../../wire/message.ts';
import { parseName, type Target } from './names.ts';
import { readyEndpoints, type NamedEndpoint } from './service-endpoints.ts';

export interface AnswerOptions {
  /** The cluster domain without the final dot: `cluster.local`. */
  readonly zone: string;
  /** Seconds; 5 where absent (feature 4-029). */
  readonly ttl?: number;
}

export type Answer =
  /** Not a name of the cluster, or an address that nothing in it has. */
  | { readonly ask: 'upstream' }
  | {
      readonly ask?: undefined;
      readonly rcode: number;
      readonly answers: readonly Record[];
      readonly authorities: readonly Record[];
      readonly additionals: readonly Record[];
      /** The alias leads out of the cluster: this name's records of the asked type belong to the answer too. */
      readonly follow?: string;
    };

/** Aliases in the cluster that lead to one another are followed so far. */
const MAX_ALIASES = 8;
const VERSION_TTL = 28_800;

export function answer(view: ClusterView, question: Question, options: AnswerOptions): Answer {
  const target = parseName(question.name, options.zone);
  if (target.about === 'outside') return { ask: 'upstream' };
  const found = new Finder(view, question, options).find(target, question.name);
  if (target.about === 'address' && found === undefined) return { ask: 'upstream' };
  const soa = soaRecord(view, options);
  if (found === undefined) return { rcode: RCODE.NXDOMAIN, answers: [], authorities: [soa], additionals: [] };
  const { answers, additionals = [], follow } = found;
  const authorities = answers.length === 0 ? [soa] : [];
  return { rcode: RCODE.NOERROR, answers, authorities, additionals, ...(follow !== undefined && { follow }) };
}

/** Records of an existing name; no records: the name is there, but not with the asked type. */
interface Found {
  readonly answers: readonly Record[];
  readonly additionals?: readonly Record[];
  readonly follow?: string;
}

const EMPTY: Found = { answers: [] };

export function soaRecord(view: ClusterView, { zone, ttl = 5 }: AnswerOptions): Record {
  return {
    name: `${zone}.`,
    ttl: Math.min(ttl, 300),
    type: TYPE.SOA,
    mname: `ns.dns.${zone}.`,
    rname: `hostmaster.${zone}.`,
    serial: view.serial,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: ttl,
  };
}

class Finder {
  readonly #view: ClusterView;
  readonly #type: number;
  readonly #options: AnswerOptions;
  readonly #zone: string;
  readonly #ttl: number;

  constructor(view: ClusterView, { type }: Question, options: AnswerOptions) {
    this.#view = view;
    this.#type = type;
    this.#options = options;
    this.#zone = options.zone;
    this.#ttl = options.ttl ?? 5;
  }

  /** Undefined: the name does not exist. `name` is how the question spelled it. */
  find(target: Target, name: string, aliases = 0): Found | undefined {
    switch (target.about) {
      case 'outside':
      case 'nothing':
        return undefined;
      case 'branch':
        return EMPTY;
      case 'zone':
        return this.#apex(name);
      case 'version':
        if (this.#type !== TYPE.TXT) return EMPTY;
        return { answers: [{ name, ttl: VERSION_TTL, type: TYPE.TXT, texts: ['1.1.0'] }] };
      case 'nameserver':
        return { answers: this.#nameserverAddresses(name) };
      case 'namespace':
        return this.#view.hasNamespace(target.namespace) ? EMPTY : undefined;
      case 'pod':
        return this.#view.hasNamespace(target.namespace) ? { answers: this.#addresses(name, [target.ip]) } : undefined;
      case 'address':
        return this.#reverse(name, target.ip);
      case 'service':
      case 'port':
      case 'endpoint':
        return this.#service(target, name, aliases);
    }
  }

  #apex(name: string): Found {
    if (this.#type === TYPE.SOA) return { answers: [{ ...soaRecord(this.#view, this.#options), name }] };
    if (this.#type !== TYPE.NS) return EMPTY;
    const server = `ns.dns.${this.#zone}.`;
    const dns = this.#view.service('kube-system', 'kube-dns');
    return {
      answers: [this.#record(name, { type: TYPE.NS, target: server })],
      additionals: dns ? clusterIpsOf(dns).map((address) => this.#address(server, address)) : [],
    };
  }

  #nameserverAddresses(name: string): Record[] {
    const dns = this.#view.service('kube-system', 'kube-dns');
    return dns
      ? this.#addresses(
          name,
          clusterIpsOf(dns).flatMap((text) => parseIp(text) ?? []),
        )
      : [];
  }

  #service(
    target: Extract<Target, { about: 'service' | 'port' | 'endpoint' }>,
    name: string,
    aliases: number,
  ): Found | undefined {
    const service = this.#view.service(target.namespace, target.service);
    if (!service) return undefined;
    if (service.spec.type === 'ExternalName') {
      return target.about === 'service' ? this.#alias(service, name, aliases) : undefined;
    }
    const headless = service.spec.clusterIP === 'None';
    if (!headless && target.about !== 'endpoint') return this.#clusterIp(service, target, name);
    const ready = readyEndpoints(this.#view.slicesOf(target.namespace, target.service));
    const chosen = target.about === 'endpoint' ? ready.filter(({ hostname }) => hostname === target.hostname) : ready;
    return this.#endpoints(service, target, chosen, name);
  }

  /** Independent of endpoints: the name is there as soon as the Service is (feature 4-006). */
  #clusterIp(service: Service, target: Target, name: string): Found | undefined {
    const addresses = clusterIpsOf(service);
    if (target.about === 'service' && this.#type !== TYPE.SRV) {
      return {
        answers: this.#addresses(
          name,
          addresses.flatMap((text) => parseIp(text) ?? []),
        ),
      };
    }
    const ports = (service.spec.ports ?? []).map(({ name: portName = '', protocol = 'TCP', port }) => ({
      name: portName,
      protocol: protocol.toLowerCase(),
      port,
    }));
    const chosen = ports.filter((port) => asksFor(target, port));
    if (chosen.length === 0) return target.about === 'port' ? undefined : EMPTY;
    if (this.#type !== TYPE.SRV) return EMPTY;
    const host = this.#nameOf(service);
    const answers = chosen.map(({ port }) => this.#srv(name, port, host, chosen.length));
    return { answers, additionals: addresses.map((address) => this.#address(host, address)) };
  }

  /** Of a headless Service, or the ones of a hostname. None ready: the name is not there (feature 4-022). */
  #endpoints(service: Service, target: Target, endpoints: readonly NamedEndpoint[], name: string): Found | undefined {
    const pairs = endpoints.flatMap((endpoint) =>
      endpoint.ports.filter((port) => asksFor(target, port)).map(({ port }) => ({ endpoint, port })),
    );
    if (endpoints.length === 0 || (target.about === 'port' && pairs.length === 0)) return undefined;
    if (this.#type !== TYPE.SRV) {
      if (target.about === 'port') return EMPTY;
      return {
        answers: this.#addresses(
          name,
          endpoints.flatMap(({ address }) => parseIp(address) ?? []),
        ),
      };
    }
    const hostOf = ({ hostname }: NamedEndpoint) => `${hostname}.${this.#nameOf(service)}`;
    const targets = unique(pairs, ({ endpoint, port }) => `${endpoint.hostname} ${String(port)}`);
    const hosts = unique(
      pairs.map(({ endpoint }) => endpoint),
      ({ hostname, address }) => `${hostname} ${address}`,
    );
    return {
      answers: targets.map(({ endpoint, port }) => this.#srv(name, port, hostOf(endpoint), targets.length)),
      additionals: hosts.map((endpoint) => this.#address(hostOf(endpoint), endpoint.address)),
    };
  }

  #alias({ spec }: Service, name: string, aliases: number): Found {
    const wanted = [TYPE.A, TYPE.AAAA, TYPE.CNAME] as readonly number[];
    if (!spec.externalName || !wanted.includes(this.#type)) return EMPTY;
    const external = `${spec.externalName.replace(/\.$/, '')}.`;
    const cname = this.#record(name, { type: TYPE.CNAME, target: external });
    if (this.#type === TYPE.CNAME) return { answers: [cname] };
    const target = parseName(external, this.#zone);
    if (target.about === 'outside' || target.about === 'address') return { answers: [cname], follow: external };
    const further = aliases < MAX_ALIASES ? this.find(target, external, aliases + 1) : undefined;
    const { answers = [], follow } = further ?? {};
    return { answers: [cname, ...answers], ...(follow !== undefined && { follow }) };
  }

  /** Undefined: no Service and no endpoint has this address (then the upstreams may know it). */
  #reverse(name: string, ip: Ip): Found | undefined {
    const address = formatIp(ip);
    const service = this.#view.serviceWithAddress(address);
    const names = service ? [this.#nameOf(service)] : this.#endpointNames(address);
    if (names.length === 0) return undefined;
    if (this.#type !== TYPE.PTR) return EMPTY;
    return { answers: names.map((target) => this.#record(name, { type: TYPE.PTR, target })) };
  }

  #endpointNames(address: string): string[] {
    const names = this.#view.slicesWithAddress(address).flatMap((slice) => {
      const service = this.#view.service(slice.metadata.namespace ?? '', serviceNameOf(slice));
      if (!service) return [];
      return readyEndpoints([slice])
        .filter((endpoint) => endpoint.address === address)
        .map(({ hostname }) => `${hostname}.${this.#nameOf(service)}`);
    });
    return [...new Set(names)].sort();
  }

  #nameOf({ metadata }: Service): string {
    return `${metadata.name}.${metadata.namespace ?? ''}.svc.${this.#zone}.`;
  }

  #record(name: string, data: RecordData): Record {
    return { name, ttl: this.#ttl, ...data };
  }

  #address(name: string, address: string): Record {
    return this.#record(name, { type: address.includes(':') ? TYPE.AAAA : TYPE.A, address });
  }

  /** The addresses of the asked family, each once (feature 4-044). */
  #addresses(name: string, ips: readonly Ip[]): Record[] {
    const family = this.#type === TYPE.A ? 'IPv4' : this.#type === TYPE.AAAA ? 'IPv6' : undefined;
    const texts = ips.filter((ip) => ip.family === family).map(formatIp);
    return [...new Set(texts)].map((address) => this.#address(name, address));
  }

  #srv(name: string, port: number, target: string, count: number): Record {
    const weight = Math.max(1, Math.floor(100 / count));
    return this.#record(name, { type: TYPE.SRV, priority: 0, weight, port, target });
  }
}

/** A question for one port names it; any other question takes all. Ports without a name have no name to ask for. */
function asksFor(target: Target, port: { readonly name: string; readonly protocol: string }): boolean {
  if (target.about !== 'port') return true;
  return port.name !== '' && port.name === target.port && port.protocol === target.protocol;
}

function unique<T>(list: readonly T[], keyOf: (each: T) => string): T[] {
  return [...new Map(list.map((each) => [keyOf(each), each])).values()];
}
