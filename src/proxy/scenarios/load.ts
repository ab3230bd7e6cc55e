/** A scenario -> the Plan of its node, and its packets in the form oracle and tracers take. */
import { parseAllDocuments } from 'yaml';
import type { EndpointSlice, KubeObject, Service } from '../../api/types.ts';
import type { Packet } from '../plan/packet.ts';
import { plan } from '../plan/plan.ts';
import { defaultPlanOptions, type Plan } from '../plan/types.ts';
import { WORLD, type Answer, type PodName, type Scenario, type ScenarioPacket } from './scenario.ts';

export interface LoadedScenario {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly plan: Plan;
}

export function loadScenario(scenario: Scenario): LoadedScenario {
  const objects = parseAllDocuments(scenario.yaml).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
  const services = objects.filter((one) => one.kind === 'Service') as Service[];
  const slices = objects.filter((one) => one.kind === 'EndpointSlice') as EndpointSlice[];
  const node = {
    name: WORLD.node.name,
    ips: [WORLD.node.ip, WORLD.node.podGateway],
    labels: scenario.nodeLabels ?? {},
  };
  const options = {
    ...defaultPlanOptions,
    detectLocal: { by: 'clusterCIDR', cidr: WORLD.clusterCIDR } as const,
    ...scenario.options,
  };
  return { services, slices, plan: plan(services, slices, node, options) };
}

/** `ip:port` of an answer. */
export function addressOf(answer: Answer): string {
  const [name = '', port = '9376'] = answer.split(':');
  return `${WORLD.pods[name as PodName].ip}:${port}`;
}

export interface ExpectedPacket {
  readonly packet: Packet;
  /** What must be said of it, in the words of the oracle, endpoints sorted. */
  readonly expect: string;
}

export function packetsOf(scenario: Scenario): readonly ExpectedPacket[] {
  return scenario.packets.map((packet) => ({ packet: packetOf(packet), expect: expectationOf(packet) }));
}

function packetOf(packet: ScenarioPacket): Packet {
  const { from, to, port, protocol = 'TCP', remembered } = packet;
  const loopback = to.startsWith('127.');
  return {
    source:
      from === 'outside'
        ? WORLD.outside
        : from === 'node'
          ? loopback
            ? '127.0.0.1'
            : WORLD.node.ip
          : WORLD.pods[from].ip,
    destination: to,
    port,
    protocol,
    fromNode: from === 'node',
    ...(remembered !== undefined && { remembered: addressOf(remembered) }),
  };
}

function expectationOf({ expect, masqueraded = false }: ScenarioPacket): string {
  if (typeof expect === 'string') return expect;
  const isMasqueraded = (answer: Answer) =>
    typeof masqueraded === 'boolean' ? masqueraded : masqueraded.includes(answer);
  return expect
    .map((answer) => `${addressOf(answer)}${isMasqueraded(answer) ? ' masqueraded' : ''}`)
    .sort()
    .join(', ');
}
