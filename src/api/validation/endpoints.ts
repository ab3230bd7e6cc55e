/** Endpoints and EndpointSlices (features 2-032, 2-035 to 2-040). */
import { parseIp } from '../../lib/ip.ts';
import { duplicate, invalid, required, type FieldError } from '../field-error.ts';
import { dns1123Label, dns1123Subdomain, labelValue, portNumber, qualifiedName } from '../names.ts';
import type { Core, Discovery, Endpoints, EndpointSlice } from '../types.ts';
import { validateLabels } from '../meta.ts';
import { follows, oneOf, requiredOneOf, unchanged } from './check.ts';
import { ipWarnings, validateCanonicalIp, validateEndpointIp, validateIp } from './ip.ts';

const protocols = ['SCTP', 'TCP', 'UDP'];

export function validateEndpoints(endpoints: Endpoints, old?: Endpoints): FieldError[] {
  const accepted = (old?.subsets ?? [])
    .flatMap((subset) => [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])])
    .map(({ ip }) => ip);
  return (endpoints.subsets ?? []).flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`, accepted));
}

/** Addresses that other programs would write otherwise. */
export function endpointsWarnings({ subsets = [] }: Endpoints): string[] {
  return subsets.flatMap((subset, at) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap(({ ip }, index) => ipWarnings(`subsets[${at}].${field}[${index}].ip`, ip)),
    ),
  );
}

function validateSubset(subset: Core.EndpointSubset, path: string, accepted: readonly string[]): FieldError[] {
  const ports = subset.ports ?? [];
  const count = (subset.addresses ?? []).length + (subset.notReadyAddresses ?? []).length;
  return [
    ...(count === 0 ? [required(path, 'must specify `addresses` or `notReadyAddresses`')] : []),
    ...(['addresses', 'notReadyAddresses'] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap((address, index) =>
        validateAddress(address, `${path}.${field}[${index}]`, accepted),
      ),
    ),
    ...ports.flatMap((port, index) => validateEndpointPort(port, `${path}.ports[${index}]`, ports.length > 1)),
  ];
}

function validateAddress(address: Core.EndpointAddress, path: string, accepted: readonly string[]): FieldError[] {
  const ip = (address.ip as string | undefined) ?? '';
  return [
    ...validateIp(`${path}.ip`, ip, accepted),
    ...follows(dns1123Label, `${path}.hostname`, address.hostname),
    ...follows(dns1123Subdomain, `${path}.nodeName`, address.nodeName),
    ...validateEndpointIp(`${path}.ip`, ip),
  ];
}

function validateEndpointPort(port: Core.EndpointPort, path: string, needsName: boolean): FieldError[] {
  const number = (port.port as number | undefined) ?? 0;
  return [
    ...(needsName && !port.name ? [required(`${path}.name`)] : follows(dns1123Label, `${path}.name`, port.name)),
    ...portNumber(number).map((problem) => invalid(`${path}.port`, number, problem)),
    ...requiredOneOf(`${path}.protocol`, port.protocol, protocols),
    ...follows(qualifiedName, `${path}.appProtocol`, port.appProtocol),
  ];
}

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20000;
const maxHints = 8;
const maxTopology = 16;

const tooMany = (field: string, count: number, most: number): FieldError[] =>
  count > most ? [{ type: 'TooMany', field, value: count, detail: `must have at most ${most} items` }] : [];

export function validateEndpointSlice(slice: EndpointSlice): FieldError[] {
  const endpoints = (slice.endpoints as Discovery.Endpoint[] | undefined) ?? [];
  return [
    ...requiredOneOf('addressType', slice.addressType, ['FQDN', 'IPv4', 'IPv6']),
    ...tooMany('endpoints', endpoints.length, maxEndpoints),
    ...endpoints.flatMap((endpoint, index) => validateEndpoint(endpoint, slice.addressType, `endpoints[${index}]`)),
    ...validateSlicePorts(slice.ports ?? []),
  ];
}

export const validateEndpointSliceUpdate = (slice: EndpointSlice, old: EndpointSlice): FieldError[] => [
  ...validateEndpointSlice(slice),
  ...unchanged('addressType', slice.addressType, old.addressType),
];

function validateEndpoint(endpoint: Discovery.Endpoint, addressType: string, path: string): FieldError[] {
  const addresses = (endpoint.addresses as string[] | undefined) ?? [];
  return [
    ...(addresses.length === 0 ? [required(`${path}.addresses`, 'must contain at least 1 address')] : []),
    ...tooMany(`${path}.addresses`, addresses.length, maxAddresses),
    ...addresses.flatMap((address, index) => validateSliceAddress(address, addressType, `${path}.addresses[${index}]`)),
    ...follows(dns1123Subdomain, `${path}.nodeName`, endpoint.nodeName),
    ...follows(dns1123Label, `${path}.hostname`, endpoint.hostname),
    ...validateHints(endpoint.hints, `${path}.hints`),
    ...tooMany(`${path}.deprecatedTopology`, Object.keys(endpoint.deprecatedTopology ?? {}).length, maxTopology),
    ...validateLabels(endpoint.deprecatedTopology, `${path}.deprecatedTopology`),
  ];
}

function validateSliceAddress(address: string, addressType: string, path: string): FieldError[] {
  if (addressType === 'FQDN') {
    const name = address.replace(/\.$/, '');
    const problems = dns1123Subdomain(name);
    if (!name.includes('.')) problems.push('should be a domain with at least two segments separated by dots');
    return problems.map((problem) => invalid(path, address, problem));
  }
  const errors = addressType === 'IPv6' ? validateCanonicalIp(path, address) : validateIp(path, address);
  const family = parseIp(address)?.family;
  if (family !== undefined && (addressType === 'IPv4' || addressType === 'IPv6') && family !== addressType) {
    errors.push(invalid(path, address, `must be an ${addressType} address`));
  }
  return [...errors, ...validateEndpointIp(path, address)];
}

function validateSlicePorts(ports: readonly Discovery.EndpointPort[]): FieldError[] {
  const names = new Set<string>();
  const errors = tooMany('ports', ports.length, maxPorts);
  for (const [index, { name = '', port, protocol, appProtocol }] of ports.entries()) {
    const path = `ports[${index}]`;
    errors.push(...follows(dns1123Label, `${path}.name`, name));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (port !== undefined) errors.push(...portNumber(port).map((problem) => invalid(`${path}.port`, port, problem)));
    errors.push(
      ...oneOf(`${path}.protocol`, protocol, protocols),
      ...follows(qualifiedName, `${path}.appProtocol`, appProtocol),
    );
  }
  return errors;
}

type Hints = { forZones?: { name: string }[]; forNodes?: { name: string }[] } | undefined;

function validateHints(hints: Hints, path: string): FieldError[] {
  const rules = { forZones: labelValue, forNodes: dns1123Subdomain };
  return (['forZones', 'forNodes'] as const).flatMap((field) => {
    const names = (hints?.[field] ?? []).map(({ name }) => name);
    return [
      ...tooMany(`${path}.${field}`, names.length, maxHints),
      ...names.flatMap((name, index) => {
        const at = `${path}.${field}[${index}].name`;
        if (name === '') return [required(at)];
        return [
          ...(names.indexOf(name) < index ? [duplicate(at, name)] : []),
          ...rules[field](name).map((problem) => invalid(at, name, problem)),
        ];
      }),
    ];
  });
}
