/** EndpointSlices of one Service port -> its endpoints, and those among them each traffic policy may use. */
import type { EndpointSlice, Discovery } from '../../api/types.ts';
import { joinHostPort } from '../../lib/ip.ts';
import { addressOf } from './addresses.ts';
import { isPort, quoted } from './checks.ts';
import { compareText } from './order.ts';
import type { Endpoint, PlanNode, PlanOptions, Protocol } from './types.ts';

/** An endpoint with its hints, which are needed only to choose. */
export interface Candidate extends Endpoint {
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

/**
 * Endpoints of the port with this name and protocol (3-005..3-008): slices of the other family, being deleted, or without such a
 * port give none. Only the first address counts. Of two with the same ip:port the one that is not terminating stays. Sorted.
 * `reject` is told of what makes no sense and was left out.
 */
export function endpointsOf(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: Protocol,
  node: PlanNode,
  options: PlanOptions,
  reject: (message: string) => void = () => undefined,
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== options.family || slice.metadata.deletionTimestamp !== undefined) continue;
    for (const port of portNumbers(slice, portName, protocol, reject)) {
      for (const raw of slice.endpoints ?? []) {
        const candidate = toCandidate(raw, port, node, options);
        if (!candidate) {
          const address = (raw.addresses as readonly string[] | undefined)?.[0];
          reject(`EndpointSlice ${slice.metadata.name}: ${quoted(address)} is no ${options.family} address; left out`);
          continue;
        }
        const known = found.get(candidate.address);
        if (!known || (known.terminating && !candidate.terminating)) found.set(candidate.address, candidate);
      }
    }
  }
  return [...found.values()].sort((a, b) => compareText(a.address, b.address));
}

/** A port that is not there means all ports, which a Service port cannot use (3-005). */
function portNumbers(
  slice: EndpointSlice,
  name: string,
  protocol: Protocol,
  reject: (message: string) => void,
): number[] {
  return (slice.ports ?? []).flatMap(({ name: own, protocol: via, port }) => {
    if ((own ?? '') !== name || (via ?? 'TCP') !== protocol || port === undefined || (port as unknown) === null)
      return [];
    if (isPort(port)) return [port];
    reject(`EndpointSlice ${slice.metadata.name}: port ${String(port)} is not between 1 and 65535; left out`);
    return [];
  });
}

function toCandidate(
  raw: Discovery.Endpoint,
  port: number,
  node: PlanNode,
  options: PlanOptions,
): Candidate | undefined {
  const first = (raw.addresses as readonly string[] | undefined)?.[0];
  const ip = first === undefined ? undefined : addressOf(first, options.family);
  if (ip === undefined) return undefined;
  const conditions = raw.conditions ?? {};
  const hints = raw.hints as { forZones?: { name: string }[]; forNodes?: { name: string }[] } | undefined;
  return {
    ip,
    port,
    address: joinHostPort(ip, port),
    local: raw.nodeName !== undefined && raw.nodeName === node.name,
    ready: conditions.ready ?? true,
    serving: conditions.serving ?? true,
    terminating: conditions.terminating ?? false,
    zones: (hints?.forZones ?? []).map((zone) => zone.name),
    nodes: (hints?.forNodes ?? []).map((other) => other.name),
  };
}

/** Policy Cluster (3-012): the ready ones the hints leave; where there are none, all that still serve while they terminate. */
export function usableInCluster(all: readonly Candidate[], node: PlanNode): readonly Endpoint[] {
  const ready = all.filter((one) => one.ready);
  return (ready.length > 0 ? nearest(ready, node) : all.filter(stillServing)).map(bare);
}

/** Policy Local (3-013, 3-018): the ready ones of this node, hints or not; else those of this node still serving. */
export function usableLocally(all: readonly Candidate[]): readonly Endpoint[] {
  const local = all.filter((one) => one.local);
  const ready = local.filter((one) => one.ready);
  return (ready.length > 0 ? ready : local.filter(stillServing)).map(bare);
}

/** Anybody, anywhere (3-014). */
export function hasAnyUsable(all: readonly Candidate[]): boolean {
  return all.some((one) => one.ready || stillServing(one));
}

const stillServing = (one: Endpoint): boolean => one.serving && one.terminating;

/**
 * Topology by hints alone (3-017, 3-019): same node if every ready endpoint names nodes and one names ours, else the same with zones,
 * else all. One endpoint without a hint turns the mode off, so that hints half written by a controller never starve a node.
 */
function nearest(ready: readonly Candidate[], node: PlanNode): readonly Candidate[] {
  const zone = node.labels['topology.kubernetes.io/zone'] ?? '';
  return (
    hinted(ready, (one) => one.nodes, node.name) ??
    (zone === '' ? undefined : hinted(ready, (one) => one.zones, zone)) ??
    ready
  );
}

function hinted(
  ready: readonly Candidate[],
  hints: (one: Candidate) => readonly string[],
  here: string,
): readonly Candidate[] | undefined {
  if (ready.some((one) => hints(one).length === 0)) return undefined;
  const near = ready.filter((one) => hints(one).includes(here));
  return near.length > 0 ? near : undefined;
}

function bare({ ip, port, address, local, ready, serving, terminating }: Candidate): Endpoint {
  return { ip, port, address, local, ready, serving, terminating };
}

/** Distinct ready local IPs over all the slices of a Service (3-145). */
export function countLocalReady(slices: readonly EndpointSlice[], node: PlanNode, options: PlanOptions): number {
  const ips = new Set<string>();
  for (const slice of slices) {
    if (slice.addressType !== options.family || slice.metadata.deletionTimestamp !== undefined) continue;
    for (const raw of slice.endpoints ?? []) {
      if (raw.nodeName !== node.name || !(raw.conditions?.ready ?? true)) continue;
      const ip = addressOf((raw.addresses as readonly string[] | undefined)?.[0] ?? '', options.family);
      if (ip !== undefined) ips.add(ip);
    }
  }
  return ips.size;
}
