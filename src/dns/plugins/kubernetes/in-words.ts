/** What an answer was made from, for people who ask why: which Service and which of its EndpointSlices, or what there is not. Pure. */
import type { Service } from '../../../api/types.ts';
import { formatIp } from '../../../lib/ip.ts';
import { RCODE } from '../../wire/message.ts';
import { rcodeName, typeName } from '../../wire/record-text.ts';
import type { InsideAnswer } from './answer.ts';
import { clusterIpsOf, type ClusterView } from './cluster-view.ts';
import type { ServiceTarget, Target } from './names.ts';
import { endpointsOf, isReady } from './service-endpoints.ts';

type Found = Pick<InsideAnswer, 'rcode' | 'answers' | 'follow' | 'nearby'>;

/**
 * @param type of the question
 * @param askerZone topology zone of whoever asks, where it was looked at
 */
export function inWords(target: Target, view: ClusterView, found: Found, type: number, askerZone?: string): string {
  const result = resultOf(found, type);
  switch (target.about) {
    case 'outside':
    case 'nothing':
      return `${result}: no name of the cluster is made like this`;
    case 'zone':
    case 'version':
    case 'nameserver':
    case 'branch':
      return `${result}: a name of the zone itself`;
    case 'namespace':
      return `${result}: ${view.hasNamespace(target.namespace) ? '' : 'there is no '}namespace ${target.namespace}`;
    case 'pod':
      return `${result}: address ${formatIp(target.ip)} in namespace ${target.namespace}`;
    case 'address':
      return `${result}: ${whoHas(formatIp(target.ip), view)}`;
    default:
      return `${result}: ${serviceWords(target, view, found)}${preference(found, askerZone)}`;
  }
}

function resultOf({ rcode, answers }: Found, type: number): string {
  if (rcode !== RCODE.NOERROR) return rcodeName(rcode);
  if (answers.length === 0) return `no ${typeName(type)} record`;
  return answers.length === 1 ? '1 record' : `${String(answers.length)} records`;
}

function whoHas(address: string, view: ClusterView): string {
  const service = view.serviceWithAddress(address);
  if (service) return `${address} is the cluster IP of Service ${nameOf(service)}`;
  const slices = view.slicesWithAddress(address).map(({ metadata }) => metadata.name);
  return slices.length > 0
    ? `${address} is an endpoint in EndpointSlice ${slices.join(', ')}`
    : `no Service and no endpoint has ${address}`;
}

const nameOf = ({ metadata }: Service): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function serviceWords(target: ServiceTarget, view: ClusterView, found: Found): string {
  const { namespace, service: name } = target;
  const service = view.service(namespace, name);
  if (!service) {
    if (view.serviceImport(namespace, name)) return `ServiceImport ${namespace}/${name}`;
    return `there is no Service ${namespace}/${name}${view.hasNamespace(namespace) ? '' : ', nor such a namespace'}`;
  }
  const { spec } = service;
  if (spec.type === 'ExternalName') return `Service ${nameOf(service)} is an alias for ${spec.externalName ?? ''}`;
  const isHeadless = spec.clusterIP === 'None';
  const what = isHeadless ? `headless Service ${nameOf(service)}` : `Service ${nameOf(service)}`;
  const missing = missingPart(target, service, found);
  if (missing !== undefined) return `${what} ${missing}`;
  if (!isHeadless && target.about !== 'endpoint') return `${what} with cluster IP ${clusterIpsOf(service).join(', ')}`;
  return `${what} with ${endpointWords(namespace, name, view)}`;
}

/** Of a Service that is there, what the name asked for and is not. */
function missingPart(target: ServiceTarget, { spec }: Service, { rcode }: Found): string | undefined {
  if (rcode !== RCODE.NXDOMAIN) return undefined;
  if (target.about === 'port') {
    const names = (spec.ports ?? []).flatMap(({ name, protocol = 'TCP' }) =>
      name ? [`_${name}._${protocol.toLowerCase()}`] : [],
    );
    const asked = `_${target.port}._${target.protocol}`;
    return names.includes(asked) ? undefined : `has no port ${asked}, it has ${names.join(', ') || 'none with a name'}`;
  }
  return undefined;
}

const preference = ({ nearby }: Found, zone: string | undefined): string =>
  nearby && zone !== undefined ? `, those in zone ${zone} preferred` : '';

function endpointWords(namespace: string, name: string, view: ClusterView): string {
  const slices = view.slicesOf(namespace, name);
  if (slices.length === 0) return 'no EndpointSlice';
  const all = slices.flatMap(endpointsOf);
  const ready = all.filter(isReady).length;
  const where = slices.map(({ metadata }) => metadata.name).sort();
  const shown =
    where.length > 3 ? `${where.slice(0, 3).join(', ')} and ${String(where.length - 3)} more` : where.join(', ');
  return `${String(ready)} of ${String(all.length)} endpoints ready, in EndpointSlice ${shown}`;
}
