/** Whose name an address has (features 4-010, 4-015, 4-031). Pure. */
import { formatIp, type Ip } from '../../../lib/ip.ts';
import { TYPE } from '../../wire/message.ts';
import { serviceNameOf, type ClusterView } from './cluster-view.ts';
import { exposedService, type ExposedService } from './exposed-service.ts';
import { isExposed, NO_DATA, record, type Found, type Lookup } from './lookup.ts';
import { endpointsCalled, type NamedEndpoint } from './service-endpoints.ts';
import { nameOfEndpoint, nameOfService } from './service-records.ts';

/** Undefined: no Service and no endpoint has this address. */
export function reverseRecords(lookup: Lookup, ip: Ip): Found | undefined {
  const names = namesOf(lookup, formatIp(ip));
  if (names.length === 0) return undefined;
  if (lookup.type !== TYPE.PTR) return NO_DATA;
  return { answers: names.map((target) => record(lookup, lookup.name, { type: TYPE.PTR, target })) };
}

/** A cluster IP has the one name of its Service; an endpoint one in every Service it belongs to. */
function namesOf(lookup: Lookup, address: string): string[] {
  const { view, rules } = lookup;
  const { primary } = rules.zones;
  const service = view.serviceWithAddress(address);
  if (service && isExposed(lookup, service.metadata.namespace ?? ''))
    return [nameOfService(exposedService(service), primary)];
  const names = endpointsAt(view, address, rules.endpointPodNames)
    .filter(({ service: { namespace } }) => isExposed(lookup, namespace))
    .map((found) => nameOfEndpoint(found.endpoint, found.service, primary));
  return [...new Set(names)].sort();
}

/** Ready endpoints at the address, each with a Service that has names for them. */
export function endpointsAt(
  view: ClusterView,
  address: string,
  podNames: boolean,
): { readonly service: ExposedService; readonly endpoint: NamedEndpoint }[] {
  return view.slicesWithAddress(address).flatMap((slice) => {
    const found = view.service(slice.metadata.namespace ?? '', serviceNameOf(slice));
    const service = found && exposedService(found);
    if (!service || service.kind === 'alias' || service.kind === 'nowhere') return [];
    return endpointsCalled([slice], 'address', address, podNames).map((endpoint) => ({ service, endpoint }));
  });
}
