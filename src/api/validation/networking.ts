/** Ingress, IngressClass, ServiceCIDR, IPAddress, NetworkPolicy (features 5-002 to 5-017, 1-112, 1-113, 1-118). */
import { familyOf, formatIp, parseIp } from '../../lib/ip.ts';
import { deepEqual } from '../deep-equal.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  domainPrefixedPath,
  portName,
  portNumber,
  wildcardSubdomain,
} from '../names.ts';
import type { Ingress, IngressClass, IPAddress, Networking, ServiceCIDR } from '../types.ts';
import { follows, mustExist, mustFollow, requiredOneOf, unchanged } from './check.ts';
import { validateCanonicalCidr, validateIp } from './ip.ts';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badEndings = ['/..', '/.'];
export const ingressClassAnnotation = 'kubernetes.io/ingress.class';

export function validateIngress({ spec }: Ingress): FieldError[] {
  const errors: FieldError[] = [];
  if ((spec?.rules ?? []).length === 0 && !spec?.defaultBackend) {
    errors.push(invalid('spec', spec?.rules ?? [], 'either `defaultBackend` or `rules` must be specified'));
  }
  if (spec?.defaultBackend) errors.push(...validateBackend(spec.defaultBackend, 'spec.defaultBackend'));
  for (const [index, rule] of (spec?.rules ?? []).entries()) errors.push(...validateRule(rule, `spec.rules[${index}]`));
  for (const [index, { hosts, secretName }] of (spec?.tls ?? []).entries()) {
    const path = `spec.tls[${index}]`;
    for (const [at, host] of (hosts ?? []).entries()) errors.push(...validateHost(host, `${path}.hosts[${at}]`, false));
    errors.push(...follows(dns1123Subdomain, `${path}.secretName`, secretName));
  }
  return [...errors, ...follows(dns1123Subdomain, 'spec.ingressClassName', spec?.ingressClassName)];
}

/** Only on create: an update may set both while it moves from the annotation to the field. */
export function validateIngressCreate(ingress: Ingress): FieldError[] {
  const annotation = ingress.metadata.annotations?.[ingressClassAnnotation];
  const field = ingress.spec?.ingressClassName;
  const errors = validateIngress(ingress);
  if (annotation !== undefined && field !== undefined && annotation !== field) {
    const why = 'must match `ingressClassName` when both are specified';
    errors.unshift(invalid(`annotations.${ingressClassAnnotation}`, annotation, why));
  }
  return errors;
}

function validateHost(host: string, path: string, refuseIp: boolean): FieldError[] {
  if (host === '') return [];
  const errors = refuseIp && parseIp(host) ? [invalid(path, host, 'must be a DNS name, not an IP address')] : [];
  return [...errors, ...follows(host.includes('*') ? wildcardSubdomain : dns1123Subdomain, path, host)];
}

function validateRule({ host, http }: Networking.IngressRule, path: string): FieldError[] {
  const errors = validateHost(host ?? '', `${path}.host`, true);
  if (!http) return errors;
  const paths = (http.paths as Networking.HTTPIngressPath[] | undefined) ?? [];
  if (paths.length === 0) errors.push(required(`${path}.http.paths`));
  for (const [index, each] of paths.entries()) errors.push(...validatePath(each, `${path}.http.paths[${index}]`));
  return errors;
}

function validatePath(rule: Networking.HTTPIngressPath, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const text = rule.path ?? '';
  // Decoded JSON may lack what the type requires.
  const { pathType, backend } = rule as Partial<Networking.HTTPIngressPath>;
  if (!pathType) errors.push(required(`${path}.pathType`, 'pathType must be specified'));
  else errors.push(...requiredOneOf(`${path}.pathType`, pathType, pathTypes));
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!text.startsWith('/')) errors.push(invalid(`${path}.path`, text, 'must be an absolute path'));
    for (const bad of badSequences.filter((each) => text.includes(each))) {
      errors.push(invalid(`${path}.path`, text, `must not contain '${bad}'`));
    }
    for (const bad of badEndings.filter((each) => text.endsWith(each))) {
      errors.push(invalid(`${path}.path`, text, `cannot end with '${bad}'`));
    }
  } else if (text !== '' && !text.startsWith('/')) {
    errors.push(invalid(`${path}.path`, text, 'must be an absolute path'));
  }
  return [...errors, ...validateBackend(backend ?? {}, `${path}.backend`)];
}

function validateBackend({ service, resource }: Networking.IngressBackend, path: string): FieldError[] {
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource)
    return [...mustExist(`${path}.resource.kind`, resource.kind), ...mustExist(`${path}.resource.name`, resource.name)];
  if (!service) return [required(path, 'resource or service backend is required')];
  const at = `${path}.service`;
  const { name, number } = service.port ?? {};
  const errors = mustFollow(dns1123Label, `${at}.name`, service.name);
  if (name && number) return [...errors, invalid(`${at}`, '', 'cannot set both port name & port number')];
  if (name) return [...errors, ...portName(name).map((problem) => invalid(`${at}.port.name`, name, problem))];
  if (number) return [...errors, ...portNumber(number).map((problem) => invalid(`${at}.port.number`, number, problem))];
  return [...errors, required(at, 'port name or number is required')];
}

export function validateIngressStatus({ status }: Ingress): FieldError[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    return [...(ip ? validateIp(`${path}.ip`, ip) : []), ...validateHost(hostname ?? '', `${path}.hostname`, true)];
  });
}

const maxControllerLength = 250;

export function validateIngressClass({ spec }: IngressClass): FieldError[] {
  const controller = spec?.controller ?? '';
  const errors = mustFollow(domainPrefixedPath, 'spec.controller', controller);
  if (controller.length > maxControllerLength) {
    errors.push({
      type: 'TooLong',
      field: 'spec.controller',
      detail: `may not be more than ${maxControllerLength} bytes`,
    });
  }
  const parameters = spec?.parameters;
  if (!parameters) return errors;
  const path = 'spec.parameters';
  errors.push(...mustExist(`${path}.kind`, parameters.kind), ...mustExist(`${path}.name`, parameters.name));
  errors.push(...requiredOneOf(`${path}.scope`, parameters.scope, ['Cluster', 'Namespace']));
  if (parameters.scope === 'Namespace' && !parameters.namespace) {
    errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  }
  if (parameters.scope === 'Cluster' && parameters.namespace !== undefined) {
    errors.push(forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}

export const validateIngressClassUpdate = (ingressClass: IngressClass, old: IngressClass): FieldError[] => [
  ...validateIngressClass(ingressClass),
  ...unchanged('spec.controller', ingressClass.spec?.controller, old.spec?.controller),
];

/** What was decoded may lack a spec, whatever the type says. */
const cidrsOf = ({ spec }: { spec?: ServiceCIDR['spec'] }): string[] => spec?.cidrs ?? [];
const parentOf = ({ spec }: { spec?: Partial<IPAddress['spec']> }) => spec?.parentRef;

export function validateServiceCidr(object: ServiceCIDR): FieldError[] {
  const cidrs = cidrsOf(object);
  if (cidrs.length === 0) return [required('spec.cidrs', 'at least one CIDR required')];
  const errors = cidrs.flatMap((cidr, index) => validateCanonicalCidr(`spec.cidrs[${index}]`, cidr));
  if (cidrs.length > 2) errors.push(invalid('spec.cidrs', cidrs, 'may only hold up to 2 values'));
  else if (cidrs.length === 2) {
    const [first, second] = cidrs.map((cidr) => familyOf(cidr.split('/')[0] ?? ''));
    if (first === second) {
      errors.push(
        invalid(
          'spec.cidrs',
          cidrs,
          'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
        ),
      );
    }
  }
  return errors;
}

/** The one change allowed: a second range beside the first. */
export function validateServiceCidrUpdate(object: ServiceCIDR, old: ServiceCIDR): FieldError[] {
  const [now, before] = [cidrsOf(object), cidrsOf(old)];
  if (deepEqual(now, before)) return [];
  if (before.length === 1 && now.length === 2 && now[0] === before[0]) return validateServiceCidr(object);
  return [invalid('spec.cidrs', now, 'field is immutable')];
}

/** The name of an IPAddress is the address, in its one canonical spelling. */
export function ipAddressName(name: string): string[] {
  const ip = parseIp(name);
  if (!ip) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
  return formatIp(ip) === name ? [] : [`must be in canonical form (${JSON.stringify(formatIp(ip))})`];
}

export function validateIpAddress(object: IPAddress): FieldError[] {
  const parent = parentOf(object);
  if (!parent) return [required('spec.parentRef')];
  return [
    ...follows(dns1123Subdomain, 'spec.parentRef.group', parent.group),
    ...mustExist('spec.parentRef.resource', parent.resource),
    ...mustExist('spec.parentRef.name', parent.name),
  ];
}

export const validateIpAddressUpdate = (object: IPAddress, old: IPAddress): FieldError[] => [
  ...validateIpAddress(object),
  ...unchanged('spec.parentRef', parentOf(object), parentOf(old)),
];
