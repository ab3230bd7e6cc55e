/** A scenario -> the Plan of its node in one mode and family, and its packets in the form oracle and tracers take. */
import { parseAllDocuments } from 'yaml';
import type { EndpointSlice, KubeObject, Service } from '../../api/types.ts';
import { joinHostPort, type Family } from '../../lib/ip.ts';
import type { ModeTraits } from '../mode.ts';
import type { Packet } from '../plan/packet.ts';
import { plan } from '../plan/plan.ts';
import { defaultPlanOptions, type Plan, type PlanNode, type PlanOptions } from '../plan/types.ts';
import { inIPv6 } from './ipv6.ts';
import { WORLD, type Answer, type PodName, type Scenario, type ScenarioPacket } from './scenario.ts';

/** How a scenario is to be read. */
export interface Reading {
  readonly family?: Family;
  /** Of the mode; iptables' where absent. */
  readonly traits?: ModeTraits;
}

export interface LoadedScenario {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly node: PlanNode;
  readonly options: PlanOptions;
  readonly plan: Plan;
}

export function loadScenario(scenario: Scenario, { family = 'IPv4', traits }: Reading = {}): LoadedScenario {
  const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
  const objects = parseAllDocuments(scenario.yaml).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
  const services = read(objects.filter((one) => one.kind === 'Service') as Service[]);
  const slices = read(objects.filter((one) => one.kind === 'EndpointSlice') as EndpointSlice[]);
  const node = read({
    name: WORLD.node.name,
    ips: [WORLD.node.ip, WORLD.node.podGateway],
    labels: scenario.nodeLabels ?? {},
  });
  const options: PlanOptions = {
    ...defaultPlanOptions,
    ...traits,
    ...read({
      family: 'IPv4' as Family,
      serviceCIDRs: [WORLD.serviceCIDR],
      detectLocal: { by: 'clusterCIDR', cidr: WORLD.clusterCIDR } as const,
      ...scenario.options,
    }),
  };
  return { services, slices, node, options, plan: plan(services, slices, node, options) };
}

/** `ip:port` of an answer. */
export function addressOf(answer: Answer, family: Family = 'IPv4'): string {
  const [name = '', port = '9376'] = answer.split(':');
  const ip = name === 'node' ? WORLD.node.ip : WORLD.pods[name as PodName].ip;
  return joinHostPort(family === 'IPv6' ? inIPv6(ip) : ip, port);
}

export interface ExpectedPacket {
  readonly packet: Packet;
  /** What must be said of it, in the words of the oracle, endpoints sorted. */
  readonly expect: string;
}

export function packetsOf(scenario: Scenario, reading: Reading = {}): readonly ExpectedPacket[] {
  return scenario.packets.map((packet) => ({
    packet: packetOf(packet, reading),
    expect: expectationOf(packet, reading),
  }));
}

function packetOf(packet: ScenarioPacket, { family = 'IPv4' }: Reading): Packet {
  const { from, to, port, protocol = 'TCP', remembered } = packet;
  const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
  const loopback = to.startsWith('127.');
  const nodeIp = loopback ? '127.0.0.1' : WORLD.node.ip;
  return {
    source: read(from === 'outside' ? WORLD.outside : from === 'node' ? nodeIp : WORLD.pods[from].ip),
    destination: read(to),
    port,
    protocol,
    fromNode: from === 'node',
    ...(remembered !== undefined && { remembered: addressOf(remembered, family) }),
  };
}

/** What a mode with these traits makes of the packet, as the scenario says. */
export function expectedOf(
  packet: ScenarioPacket,
  traits?: ModeTraits,
): Pick<ScenarioPacket, 'expect' | 'masqueraded'> {
  const { expect, masqueraded = false, guarded } = packet;
  // a relay speaks no SCTP: such ports are reported and left out
  if (traits?.hidesClients && packet.protocol === 'SCTP') return { expect: 'pass' };
  if (guarded !== undefined && traits?.guardClusterIPs) return { expect: guarded };
  return { expect, masqueraded: traits?.hidesClients === true || masqueraded };
}

function expectationOf(packet: ScenarioPacket, { family, traits }: Reading): string {
  const { expect, masqueraded = false } = expectedOf(packet, traits);
  if (typeof expect === 'string') return expect;
  const isMasqueraded = (answer: Answer) =>
    typeof masqueraded === 'boolean' ? masqueraded : masqueraded.includes(answer);
  return expect
    .map((answer) => `${addressOf(answer, family)}${isMasqueraded(answer) ? ' masqueraded' : ''}`)
    .sort()
    .join(', ');
}
