/** Random clusters and every packet worth asking of them: for the tests of all modes. */
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import type { ModeTraits } from '../mode.ts';
import type { Packet } from '../plan/packet.ts';
import { defaultPlanOptions, type PlanNode, type PlanOptions } from '../plan/types.ts';

export const NODE_IP = '172.30.0.11';
const SOURCES = ['10.244.1.1', '10.244.1.2', '10.244.2.1', NODE_IP, '172.30.0.200', '192.168.5.5'];
const POD_IPS = ['10.244.1.1', '10.244.1.2', '10.244.2.1', '10.244.2.2', NODE_IP];

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const policy = fc.constantFrom(undefined, 'Cluster', 'Local');

const endpoint = fc.record({
  ip: fc.constantFrom(...POD_IPS),
  ready: maybe(fc.boolean()),
  serving: maybe(fc.boolean()),
  terminating: maybe(fc.boolean()),
  zones: fc.subarray(['a', 'b']),
  nodes: fc.subarray(['node01', 'node02']),
});

/** `at` makes every address and port of a Service its own: two Services may not share them. */
const service = (at: number) =>
  fc.record({
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
    internalTrafficPolicy: policy,
    externalTrafficPolicy: policy,
    affinity: fc.boolean(),
    external: fc.boolean(),
    lbIPs: fc.constantFrom<string[]>(
      [],
      [`172.31.${String(at)}.1`],
      [`172.31.${String(at)}.1`, `172.31.${String(at)}.2`],
      // one address for several Services, told apart by port (trap T21)
      ['172.31.9.9'],
    ),
    ranges: fc.subarray(['10.244.1.0/24', '172.30.0.0/28', '192.168.5.5/32', '0.0.0.0/0']),
    ports: fc.subarray(['TCP', 'UDP', 'SCTP'], { minLength: 1 }),
    slices: fc.array(fc.array(endpoint, { maxLength: 4 }), { maxLength: 2 }),
    at: fc.constant(at),
  });

export type RandomService = ReturnType<typeof service> extends fc.Arbitrary<infer T> ? T : never;

export function objectsOf(one: RandomService): { service: Service; slices: EndpointSlice[] } {
  const name = `s${String(one.at)}`;
  const withPorts = one.type !== 'ClusterIP';
  const spec = {
    type: one.type as 'ClusterIP',
    clusterIP: `10.96.0.${String(10 + one.at)}`,
    ...(one.internalTrafficPolicy && { internalTrafficPolicy: one.internalTrafficPolicy }),
    ...(one.externalTrafficPolicy && { externalTrafficPolicy: one.externalTrafficPolicy }),
    ...(one.affinity && { sessionAffinity: 'ClientIP' }),
    ...(one.external && { externalIPs: [`172.30.1.${String(one.at)}`] }),
    loadBalancerSourceRanges: one.ranges,
    ports: one.ports.map((protocol) => ({
      name: protocol.toLowerCase(),
      protocol,
      port: 80 + one.at,
      ...(withPorts && { nodePort: 30000 + one.at }),
    })),
  };
  const metadata = { name, namespace: 'default' };
  return {
    service: {
      metadata,
      spec,
      status: { loadBalancer: { ingress: one.lbIPs.map((ip) => ({ ip })) } },
    } as Service,
    slices: one.slices.map((endpoints, index) => ({
      metadata: {
        name: `${name}-${String(index)}`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: 'IPv4',
      ports: one.ports.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 8080 })),
      endpoints: endpoints.map(({ ip, ready, serving, terminating, zones, nodes }) => ({
        addresses: [ip],
        nodeName: ip.startsWith('10.244.2') ? 'node02' : 'node01',
        conditions: {
          ...(ready !== undefined && { ready }),
          ...(serving !== undefined && { serving }),
          ...(terminating !== undefined && { terminating }),
        },
        hints: { forZones: zones.map((zone) => ({ name: zone })), forNodes: nodes.map((node) => ({ name: node })) },
      })),
    })) as EndpointSlice[],
  };
}

/** Three Services. */
export const clusters = fc.tuple(...[0, 1, 2].map(service));
/** `traits` are the mode's own. */
export const optionsWith = (traits: ModeTraits): fc.Arbitrary<PlanOptions> =>
  fc
    .record({
      detectLocal: fc.constantFrom<PlanOptions['detectLocal'][]>(
        { by: 'clusterCIDR', cidr: '10.244.0.0/16' },
        { by: 'interface', name: 'cni0', prefix: false },
        { by: 'interface', name: 'veth', prefix: true },
        { by: 'nothing' },
      ),
      masqueradeAll: fc.boolean(),
      nodePortAddresses: fc.constantFrom<string[][]>([], ['primary'], ['172.30.0.0/24'], ['0.0.0.0/0']),
      localhost: fc.boolean(),
      masqueradeBit: fc.constantFrom(14, 0, 31),
      dropInvalid: fc.boolean(),
      allowExternalIPs: fc.boolean(),
      serviceCIDRs: fc.constantFrom<string[][]>([], ['10.96.0.0/16']),
    })
    .map(({ localhost, ...some }) => ({
      ...defaultPlanOptions,
      ...traits,
      ...some,
      localhostNodePorts: localhost ? traits.localhostNodePorts : 'off',
    }));

export const nodes: fc.Arbitrary<PlanNode> = fc.record({
  name: fc.constant('node01'),
  ips: fc.constant([NODE_IP, '10.244.1.254']),
  labels: fc.constantFrom<Record<string, string>[]>({}, { 'topology.kubernetes.io/zone': 'a' }),
});

/** Every address worth asking, from everywhere, with every memory. */
export function packetsFor(at: number): Packet[] {
  const targets: [string, number][] = [
    [`10.96.0.${String(10 + at)}`, 80 + at],
    [`10.96.0.${String(10 + at)}`, 79],
    ['10.96.0.250', 80 + at],
    ['172.31.9.9', 80 + at],
    [`172.30.1.${String(at)}`, 80 + at],
    [`172.31.${String(at)}.1`, 80 + at],
    [`172.31.${String(at)}.2`, 80 + at],
    [NODE_IP, 30000 + at],
    ['10.244.1.254', 30000 + at],
    ['127.0.0.1', 30000 + at],
    ['8.8.8.8', 30000 + at],
  ];
  return targets.flatMap(([destination, port]) =>
    SOURCES.flatMap((source) =>
      (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol): Packet[] => {
        const isLoopback = destination === '127.0.0.1';
        const fromNode = source === NODE_IP;
        if (isLoopback && !fromNode) return [];
        return [
          {
            source: isLoopback ? '127.0.0.1' : source,
            destination,
            port,
            protocol,
            fromNode,
            ...(!fromNode && { interface: source.startsWith('10.244.1') ? 'cni0' : 'eth0' }),
            ...(source.endsWith('.2') && { remembered: '10.244.1.2:8080' }),
          },
        ];
      }),
    ),
  );
}
