/** The records at and below the name of a Service (features 4-003 to 4-018). Pure. */
import { TYPE } from '../../wire/message.ts';
import { exposedImport, exposedService, type ExposedService } from './exposed-service.ts';
import {
  addressRecord,
  addressRecords,
  isExposed,
  NO_DATA,
  record,
  srvRecords,
  type Found,
  type Lookup,
} from './lookup.ts';
import type { ServiceTarget } from './names.ts';
import {
  differByZone,
  endpointsCalled,
  nearest,
  readyEndpoints,
  type NamedEndpoint,
  type NamedPort,
} from './service-endpoints.ts';
import { below, type Zone } from './zones.ts';

/** Undefined: the name does not exist. */
export function serviceRecords(lookup: Lookup, target: ServiceTarget): Found | undefined {
  if (!isExposed(lookup, target.namespace)) return undefined;
  const service = find(lookup, target);
  if (!service || service.kind === 'nowhere') return undefined;
  if (service.kind === 'alias') return target.about === 'service' ? alias(lookup, service) : undefined;
  if (service.kind === 'headless') return ofEndpoints(lookup, service, target);
  if (lookup.rules.ignoreEmptyService && endpointsOf(lookup, target).length === 0) return undefined;
  return target.about === 'endpoint' || target.about === 'cluster'
    ? ofEndpoints(lookup, service, target)
    : ofClusterIp(lookup, service, target);
}

function find({ view, zone }: Lookup, { namespace, service }: ServiceTarget): ExposedService | undefined {
  if (zone.kind === 'clusterset') {
    const found = view.serviceImport(namespace, service);
    return found && exposedImport(found);
  }
  const found = view.service(namespace, service);
  return found && exposedService(found);
}

/** All that are ready; of a name of endpoints those that it names. */
function endpointsOf({ view, rules, zone }: Lookup, target: ServiceTarget): NamedEndpoint[] {
  const { namespace, service } = target;
  const slices =
    zone.kind === 'clusterset' ? view.importSlicesOf(namespace, service) : view.slicesOf(namespace, service);
  return target.about === 'endpoint'
    ? endpointsCalled(slices, 'hostname', target.hostname, rules.endpointPodNames)
    : readyEndpoints(slices, rules.endpointPodNames);
}

/** Aliases have no SRV records, and no other types than what is behind them (feature 4-043). */
function alias(lookup: Lookup, { target }: ExposedService): Found {
  const { type } = lookup;
  if (target === undefined || (type !== TYPE.A && type !== TYPE.AAAA && type !== TYPE.CNAME)) return NO_DATA;
  const answers = [record(lookup, lookup.name, { type: TYPE.CNAME, target })];
  return type === TYPE.CNAME ? { answers } : { answers, alias: target };
}

/** Independent of endpoints: the name is there as soon as the Service is (feature 4-006). */
function ofClusterIp(lookup: Lookup, service: ExposedService, target: ServiceTarget): Found | undefined {
  if (target.about === 'zonal') return undefined;
  if (target.about === 'service' && lookup.type !== TYPE.SRV) {
    return { answers: addressRecords(lookup, service.addresses) };
  }
  const ports = service.ports.filter((port) => asksFor(target, port));
  if (ports.length === 0) return target.about === 'service' ? NO_DATA : undefined;
  if (lookup.type !== TYPE.SRV || target.about === 'protocol') return NO_DATA;
  const host = nameOfService(service, lookup.zone);
  return {
    answers: srvRecords(
      lookup,
      ports.map(({ port }) => ({ host, port })),
    ),
    additionals: service.addresses.map((address) => addressRecord(lookup, host, address)),
  };
}

/** Of a headless Service, or the ones of a hostname. None ready: the name is not there (feature 4-022). */
function ofEndpoints(lookup: Lookup, service: ExposedService, target: ServiceTarget): Found | undefined {
  const ready = endpointsOf(lookup, target);
  if (target.about === 'zonal') return ofTopologyZone(lookup, service, target, ready);
  const chosen = ready.filter((endpoint) => isAskedFor(target, endpoint));
  if (chosen.length === 0) return undefined;
  if (target.about === 'cluster' || target.about === 'protocol') return NO_DATA;
  const hasChoice = (target.about === 'service' || target.about === 'port') && lookup.rules.preferZone;
  if (!hasChoice) return ofThese(lookup, service, target, chosen);
  const fitting = ofFamily(lookup.type, chosen);
  const near = lookup.askerZone === undefined ? fitting : nearest(fitting, lookup.askerZone);
  return { ...ofThese(lookup, service, target, near), ...(differByZone(fitting) && { nearby: true }) };
}

/** The Service is there, so the name of each zone is (feature 4-041): nobody there is NODATA. */
function ofTopologyZone(
  lookup: Lookup,
  service: ExposedService,
  target: Extract<ServiceTarget, { about: 'zonal' }>,
  ready: readonly NamedEndpoint[],
): Found {
  if (target.topologyZone === undefined) return NO_DATA;
  const inside = ready.filter(({ zone }) => zone === target.topologyZone);
  return ofThese(lookup, service, target, inside.length === 0 && target.prefer ? ready : inside);
}

function ofThese(
  lookup: Lookup,
  service: ExposedService,
  target: ServiceTarget,
  endpoints: readonly NamedEndpoint[],
): Found {
  if (lookup.type !== TYPE.SRV) {
    if (target.about === 'port') return NO_DATA;
    return {
      answers: addressRecords(
        lookup,
        endpoints.map(({ address }) => address),
      ),
    };
  }
  const pairs = endpoints.flatMap((endpoint) => {
    const host = nameOfEndpoint(endpoint, service, lookup.zone);
    return endpoint.ports.filter((port) => asksFor(target, port)).map(({ port }) => ({ host, port, endpoint }));
  });
  const hosts = new Map(pairs.map(({ host, endpoint: { address } }) => [`${host} ${address}`, { host, address }]));
  return {
    answers: srvRecords(lookup, pairs),
    additionals: [...hosts.values()].map(({ host, address }) => addressRecord(lookup, host, address)),
  };
}

const ofFamily = (type: number, endpoints: readonly NamedEndpoint[]): readonly NamedEndpoint[] =>
  type === TYPE.A || type === TYPE.AAAA
    ? endpoints.filter(({ family }) => (family === 'IPv4') === (type === TYPE.A))
    : endpoints;

function isAskedFor(target: ServiceTarget, endpoint: NamedEndpoint): boolean {
  if (target.about === 'cluster') return endpoint.cluster === target.cluster;
  if (target.about === 'endpoint') {
    return endpoint.hostname === target.hostname && (target.cluster ?? endpoint.cluster) === endpoint.cluster;
  }
  return target.about === 'service' || endpoint.ports.some((port) => asksFor(target, port));
}

/** A question for one port names it; any other question takes all. Ports without a name have no name to ask for (feature 4-008). */
function asksFor(target: ServiceTarget, { name, protocol }: NamedPort): boolean {
  if (target.about === 'protocol') return name !== '' && protocol === target.protocol;
  return target.about !== 'port' || (name !== '' && name.toLowerCase() === target.port && protocol === target.protocol);
}

export const nameOfService = ({ namespace, name }: { namespace: string; name: string }, zone: Zone): string =>
  below(`${name}.${namespace}.svc`, zone);

export function nameOfEndpoint(
  { hostname, cluster }: NamedEndpoint,
  service: { namespace: string; name: string },
  zone: Zone,
): string {
  const inside = zone.kind === 'clusterset' && cluster !== undefined ? `.${cluster}` : '';
  return `${hostname}${inside}.${nameOfService(service, zone)}`;
}
