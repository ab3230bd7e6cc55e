/** Service: everything of features.md 1.2 to 1.6 that can be decided from the object and the one it replaces. */
import { isExternallyAccessible } from '../defaults/service.ts';
import { deepEqual } from '../deep-equal.ts';
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { validateLabels } from '../meta.ts';
import { dns1123Label, dns1123Subdomain, portName, portNumber, qualifiedName } from '../names.ts';
import { isHeadless, needsHealthCheckNodePort } from '../service-changes.ts';
import type { Core, Service } from '../types.ts';
import { parseIp } from '../../lib/ip.ts';
import { validateCidr, validateEndpointIp, validateIp } from './ip.ts';
import { validateClusterIpChange, validateClusterIps } from './service-cluster-ips.ts';

const types = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'];
const protocols = ['TCP', 'UDP', 'SCTP'];
const trafficPolicies = ['Cluster', 'Local'];
const distributions = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
const kubeletPort = 10250;

export const topologyModeAnnotation = 'service.kubernetes.io/topology-mode';
export const topologyHintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** @param old the stored object: address texts it already has are not questioned again */
export function validateService(service: Service, old?: Service): FieldError[] {
  const { spec } = service;
  return [
    ...validateTypeNeeds(service),
    ...validatePorts(service),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIps(service, old?.spec.clusterIPs),
    ...(spec.externalIPs ?? []).flatMap((address, index) => {
      const path = `spec.externalIPs[${index}]`;
      const errors = validateIp(path, address, old?.spec.externalIPs);
      return errors.length > 0 ? errors : validateEndpointIp(path, address);
    }),
    ...(spec.type && types.includes(spec.type) ? [] : [notSupported('spec.type', spec.type, types)]),
    ...validateNodePorts(service),
    ...validateSourceRanges(service, old),
    ...validateLoadBalancerFields(service, old),
    ...validateTrafficPolicies(service),
    ...validateTopologyAnnotations(service),
  ];
}

export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  const errors = [...validateClusterIpChange(service, old), ...validateService(service, old)];
  if (
    needsHealthCheckNodePort(service) &&
    needsHealthCheckNodePort(old) &&
    (service.spec.healthCheckNodePort ?? 0) !== (old.spec.healthCheckNodePort ?? 0)
  ) {
    errors.push(forbidden('spec.healthCheckNodePort', 'field is immutable'));
  }
  return errors;
}

function validateTypeNeeds(service: Service): FieldError[] {
  const { spec } = service;
  const headless = isHeadless(service);
  const errors: FieldError[] = [];
  if ((spec.ports ?? []).length === 0 && !headless && spec.type !== 'ExternalName') errors.push(required('spec.ports'));
  if (spec.type === 'LoadBalancer') {
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (port.port !== kubeletPort) continue;
      const why = `may not expose port ${kubeletPort} externally since it is used by kubelet`;
      errors.push(invalid(`spec.ports[${index}]`, port.port, why));
    }
  }
  if (headless && (spec.type === 'NodePort' || spec.type === 'LoadBalancer')) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type === 'ExternalName') {
    // One trailing dot is allowed: the name is then absolute.
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required('spec.externalName'));
    else errors.push(...dns1123Subdomain(name).map((problem) => invalid('spec.externalName', name, problem)));
  }
  return errors;
}

function validatePorts({ spec }: Service): FieldError[] {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const errors = ports.flatMap((port, index) => validatePort(port, `spec.ports[${index}]`, ports.length > 1, names));
  const seen = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const key = `${port.protocol ?? ''}/${port.port}`;
    if (seen.has(key)) {
      const shown = {
        Name: '',
        Protocol: port.protocol,
        AppProtocol: null,
        Port: port.port,
        TargetPort: 0,
        NodePort: 0,
      };
      errors.push(duplicate(`spec.ports[${index}]`, shown));
    }
    seen.add(key);
  }
  return errors;
}

function validatePort(port: Core.ServicePort, path: string, needsName: boolean, names: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  if (!port.name) {
    if (needsName) errors.push(required(`${path}.name`));
  } else {
    errors.push(...dns1123Label(port.name).map((problem) => invalid(`${path}.name`, port.name, problem)));
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    names.add(port.name);
  }
  // A port left out decodes to nothing, which Kubernetes shows as 0.
  const number = (port.port as number | undefined) ?? 0;
  errors.push(...portNumber(number).map((problem) => invalid(`${path}.port`, number, problem)));
  if (!protocols.includes(port.protocol ?? '')) errors.push(notSupported(`${path}.protocol`, port.protocol, protocols));
  const target = port.targetPort ?? number;
  const problems = typeof target === 'number' ? portNumber(target) : portName(target);
  errors.push(...problems.map((problem) => invalid(`${path}.targetPort`, target, problem)));
  if (port.appProtocol !== undefined) {
    errors.push(...qualifiedName(port.appProtocol).map((why) => invalid(`${path}.appProtocol`, port.appProtocol, why)));
  }
  return errors;
}

function validateAffinity(spec: Service['spec']): FieldError[] {
  const path = 'spec.sessionAffinityConfig';
  if (spec.sessionAffinity !== 'ClientIP' && spec.sessionAffinity !== 'None') {
    return spec.sessionAffinity
      ? [notSupported('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None'])]
      : [required('spec.sessionAffinity')];
  }
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'None') {
    return config ? [forbidden(path, 'must not be set when session affinity is None')] : [];
  }
  const timeout = config?.clientIP?.timeoutSeconds;
  if (timeout === undefined) return [required(path, 'when session affinity type is ClientIP')];
  return timeout > 0 && timeout <= 86400
    ? []
    : [invalid(`${path}.clientIP.timeoutSeconds`, timeout, 'must be greater than 0 and less than 86400')];
}

function validateNodePorts({ spec }: Service): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { nodePort, protocol }] of (spec.ports ?? []).entries()) {
    if (!nodePort) continue;
    const path = `spec.ports[${index}].nodePort`;
    if (spec.type === 'ClusterIP') errors.push(forbidden(path, "may not be used when `type` is 'ClusterIP'"));
    const key = `${protocol ?? ''}/${nodePort}`;
    if (seen.has(key)) errors.push(duplicate(path, nodePort));
    seen.add(key);
  }
  return errors;
}

function validateSourceRanges(service: Service, old?: Service): FieldError[] {
  const { spec, metadata } = service;
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[sourceRangesAnnotation];
  if (ranges.length > 0) {
    // This is how Kubernetes spells the path, with a capital letter.
    const path = 'spec.LoadBalancerSourceRanges';
    const accepted = (old?.spec.loadBalancerSourceRanges ?? []).map((range) => range.trim());
    return [
      ...(spec.type === 'LoadBalancer' ? [] : [forbidden(path, onlyLoadBalancer)]),
      ...ranges.flatMap((range, index) => validateCidr(`${path}[${index}]`, range.trim(), accepted)),
    ];
  }
  if (annotation === undefined) return [];
  const path = `metadata.annotations[${sourceRangesAnnotation}]`;
  if (spec.type !== 'LoadBalancer') return [forbidden(path, onlyLoadBalancer)];
  if (annotation.trim() === '' || annotation === old?.metadata.annotations?.[sourceRangesAnnotation]) return [];
  return annotation.split(',').flatMap((range) => validateCidr(path, range.trim()));
}

function validateLoadBalancerFields({ spec }: Service, old?: Service): FieldError[] {
  const errors: FieldError[] = [];
  const isLoadBalancer = spec.type === 'LoadBalancer';
  if (isLoadBalancer && spec.allocateLoadBalancerNodePorts === undefined) {
    errors.push(required('spec.allocateLoadBalancerNodePorts'));
  }
  if (!isLoadBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', onlyLoadBalancer));
  }
  const path = 'spec.loadBalancerClass';
  const given = spec.loadBalancerClass;
  if (isLoadBalancer && old?.spec.type === 'LoadBalancer' && old.spec.loadBalancerClass !== given) {
    errors.push(invalid(path, given, 'may not change once set'));
  }
  if (given !== undefined) {
    if (isLoadBalancer) errors.push(...qualifiedName(given).map((problem) => invalid(path, given, problem)));
    else errors.push(forbidden(path, onlyLoadBalancer));
  }
  return errors;
}

function validateTrafficPolicies(service: Service): FieldError[] {
  const { spec } = service;
  const errors: FieldError[] = [];
  const external = spec.externalTrafficPolicy;
  if (!isExternallyAccessible(service)) {
    const why = 'may only be set for externally-accessible services';
    if (external) errors.push(invalid('spec.externalTrafficPolicy', external, why));
  } else if (!external) errors.push(required('spec.externalTrafficPolicy'));
  else if (!trafficPolicies.includes(external)) {
    errors.push(notSupported('spec.externalTrafficPolicy', external, trafficPolicies));
  }
  const healthPort = spec.healthCheckNodePort ?? 0;
  if (healthPort !== 0 && !needsHealthCheckNodePort(service)) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid('spec.healthCheckNodePort', healthPort, why));
  } else if (healthPort !== 0) {
    errors.push(...portNumber(healthPort).map((problem) => invalid('spec.healthCheckNodePort', healthPort, problem)));
  }
  const internal = spec.internalTrafficPolicy;
  if (internal === undefined) {
    if (spec.type !== 'ExternalName' && types.includes(spec.type ?? '')) {
      errors.push(required('spec.internalTrafficPolicy'));
    }
  } else if (!trafficPolicies.includes(internal)) {
    errors.push(notSupported('spec.internalTrafficPolicy', internal, trafficPolicies));
  }
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    errors.push(notSupported('spec.trafficDistribution', spec.trafficDistribution, distributions));
  }
  return errors;
}

function validateTopologyAnnotations({ metadata }: Service): FieldError[] {
  const mode = metadata.annotations?.[topologyModeAnnotation];
  const hints = metadata.annotations?.[topologyHintsAnnotation];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const why = `must match annotations[${topologyHintsAnnotation}] when both are specified`;
  return [invalid(`metadata.annotations[${topologyModeAnnotation}]`, mode, why)];
}

/** PUT and PATCH of `/status` (features 1-089 to 1-092). */
export function validateServiceStatus(service: Service, old: Service): FieldError[] {
  const path = 'status.loadBalancer.ingress';
  const entries = service.status?.loadBalancer?.ingress ?? [];
  const before = old.status?.loadBalancer?.ingress ?? [];
  if (entries.length > 0 && service.spec.type !== 'LoadBalancer' && !deepEqual(entries, before)) {
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const accepted = before.map((entry) => entry.ip ?? '');
  return entries.flatMap((entry, index) => validateLoadBalancerIngress(entry, `${path}[${index}]`, accepted));
}

function validateLoadBalancerIngress(
  { ip, hostname, ipMode }: Core.LoadBalancerIngress,
  path: string,
  accepted: readonly string[],
): FieldError[] {
  const errors: FieldError[] = [];
  if (ip) errors.push(...validateIp(`${path}.ip`, ip, accepted));
  if (ip && ipMode === undefined) errors.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'));
  if (!ip && ipMode !== undefined)
    errors.push(forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set'));
  if (ip && ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy') {
    errors.push(notSupported(`${path}.ipMode`, ipMode, ['Proxy', 'VIP']));
  }
  if (hostname) {
    errors.push(...dns1123Subdomain(hostname).map((problem) => invalid(`${path}.hostname`, hostname, problem)));
    if (parseIp(hostname)) errors.push(invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'));
  }
  return errors;
}
