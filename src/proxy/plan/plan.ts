/** Services and EndpointSlices -> the Plan of one node. */
import type { EndpointSlice, Service } from '../../api/types.ts';
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import { compareText } from './order.ts';
import { planService, type PlannedService } from './service-ports.ts';
import type { Plan, PlanNode, PlanOptions, ServicePort } from './types.ts';

/** Decides every Kubernetes question once, for one family. Pure and total: a Service that cannot be expressed becomes a problem. */
export function plan(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions,
): Plan {
  return createPlanner()(services, slices, node, options);
}

/**
 * `plan` with a memory: a Service whose object and slices are the very same objects as last time (an informer's are) keeps its
 * ServicePort objects, so that whoever compares by identity sees at once what did not change. Same answers as `plan`.
 */
export function createPlanner(): typeof plan {
  let memory = new Map<string, { service: Service; slices: readonly EndpointSlice[]; planned: PlannedService }>();
  let context: { node: PlanNode; options: PlanOptions } | undefined;
  return (services, slices, node, options) => {
    if (context?.node !== node || context.options !== options) memory = new Map();
    context = { node, options };
    const byService = groupByService(slices);
    const next: typeof memory = new Map();
    const all: PlannedService[] = [];
    for (const service of services) {
      const key = `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
      const own = byService.get(key) ?? [];
      const known = memory.get(key);
      const planned =
        known?.service === service && isSame(known.slices, own)
          ? known.planned
          : planService(service, own, node, options);
      next.set(key, { service, slices: own, planned });
      all.push(planned);
    }
    memory = next;
    return {
      options,
      node,
      nodePortIPs: nodePortIPsOf(node, options),
      servicePorts: all.flatMap((one) => one.ports).sort(byNameAndProtocol),
      problems: all.flatMap((one) => one.problems),
    };
  };
}

function byNameAndProtocol(a: ServicePort, b: ServicePort): number {
  return compareText(a.name, b.name) || compareText(a.protocol, b.protocol) || a.port - b.port;
}

/** `namespace/service` -> its slices by name. Slices of headless Services, labelled so, are nobody's here (3-002). */
function groupByService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const groups = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const labels = slice.metadata.labels ?? {};
    const service = labels['kubernetes.io/service-name'];
    if (service === undefined || 'service.kubernetes.io/headless' in labels) continue;
    const key = `${slice.metadata.namespace ?? ''}/${service}`;
    const group = groups.get(key);
    if (group) group.push(slice);
    else groups.set(key, [slice]);
  }
  for (const group of groups.values()) {
    if (group.length > 1) group.sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  }
  return groups;
}

function isSame(a: readonly EndpointSlice[], b: readonly EndpointSlice[]): boolean {
  return a.length === b.length && a.every((slice, at) => slice === b[at]);
}

function nodePortIPsOf(node: PlanNode, options: PlanOptions): 'all' | readonly string[] {
  const wanted = options.nodePortAddresses;
  if (wanted.length === 0) return 'all';
  const ips = node.ips.flatMap((text) => parseIp(text) ?? []).filter((ip) => ip.family === options.family);
  if (wanted.length === 1 && wanted[0] === 'primary') return ips.slice(0, 1).map(formatIp);
  const ranges = wanted.flatMap((text) => parseCidr(text) ?? []).filter((range) => range.family === options.family);
  if (ranges.some((range) => range.bits === 0)) return 'all';
  const loopback = options.family === 'IPv4' ? parseIp('127.0.0.1') : undefined;
  const candidates = loopback && options.localhostNodePorts ? [...ips, loopback] : ips;
  return candidates.filter((ip) => ranges.some((range) => cidrContains(range, ip))).map(formatIp);
}
