/** Random clusters, random changes, random packets: the tracer, reading the text back, must say what the oracle says. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { decide } from '../plan/decide.ts';
import type { Packet } from '../plan/packet.ts';
import { createPlanner, plan } from '../plan/plan.ts';
import { defaultPlanOptions, type Plan, type PlanNode, type PlanOptions } from '../plan/types.ts';
import { IptablesApplier } from './apply.ts';
import { endpointChain } from './names.ts';
import { parse } from './parse.ts';
import { trace } from './trace.ts';
import { describeDecision, describeOutcomes } from './trace-service.ts';

const NODE_IP = '172.30.0.11';
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
    ),
    ranges: fc.subarray(['10.244.1.0/24', '172.30.0.0/28', '192.168.5.5/32', '0.0.0.0/0']),
    ports: fc.subarray(['TCP', 'UDP'], { minLength: 1 }),
    slices: fc.array(fc.array(endpoint, { maxLength: 4 }), { maxLength: 2 }),
    at: fc.constant(at),
  });

type RandomService = ReturnType<typeof service> extends fc.Arbitrary<infer T> ? T : never;

function objectsOf(one: RandomService): { service: Service; slices: EndpointSlice[] } {
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
      port: 80,
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

const cluster = fc.tuple(...[0, 1, 2].map(service));
const options: fc.Arbitrary<PlanOptions> = fc.record({
  family: fc.constant('IPv4' as const),
  detectLocal: fc.constantFrom<PlanOptions['detectLocal'][]>(
    { by: 'clusterCIDR', cidr: '10.244.0.0/16' },
    { by: 'interface', name: 'cni0', prefix: false },
    { by: 'interface', name: 'veth', prefix: true },
    { by: 'nothing' },
  ),
  masqueradeAll: fc.boolean(),
  nodePortAddresses: fc.constantFrom<string[][]>([], ['primary'], ['172.30.0.0/24'], ['0.0.0.0/0']),
  localhostNodePorts: fc.boolean(),
  masqueradeBit: fc.constantFrom(14, 0, 31),
  dropInvalid: fc.boolean(),
  allowExternalIPs: fc.boolean(),
});
const node: fc.Arbitrary<PlanNode> = fc.record({
  name: fc.constant('node01'),
  ips: fc.constant([NODE_IP, '10.244.1.254']),
  labels: fc.constantFrom<Record<string, string>[]>({}, { 'topology.kubernetes.io/zone': 'a' }),
});

/** Every address worth asking, from everywhere, with every memory. */
function packetsFor(at: number): Packet[] {
  const targets: [string, number][] = [
    [`10.96.0.${String(10 + at)}`, 80],
    [`172.30.1.${String(at)}`, 80],
    [`172.31.${String(at)}.1`, 80],
    [`172.31.${String(at)}.2`, 80],
    [NODE_IP, 30000 + at],
    ['10.244.1.254', 30000 + at],
    ['127.0.0.1', 30000 + at],
    ['8.8.8.8', 30000 + at],
  ];
  return targets.flatMap(([destination, port]) =>
    SOURCES.flatMap((source) =>
      (['TCP', 'UDP'] as const).flatMap((protocol): Packet[] => {
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

function assertAgreement(current: Plan, text: string, packets: readonly Packet[]): void {
  const tables = parse(text);
  for (const packet of packets) {
    const { remembered } = packet;
    const lists = new Set(
      remembered === undefined ? [] : current.servicePorts.map((one) => endpointChain(one, { address: remembered })),
    );
    const machine = { localIPs: current.node.ips, isRemembered: (list: string) => lists.has(list) };
    const traced = describeOutcomes(trace(tables, machine, packet));
    assert.equal(traced, describeDecision(decide(current, packet)), JSON.stringify(packet));
  }
}

it('agrees with the oracle through random clusters and changes', async () => {
  const change = fc.record({ at: fc.integer({ min: 0, max: 2 }), kept: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      cluster,
      cluster,
      fc.array(change, { maxLength: 4 }),
      options,
      node,
      async (a, b, changes, opts, at) => {
        const iptables = new FakeIptables();
        const applier = new IptablesApplier(iptables);
        const planner = createPlanner();
        const before = a.map(objectsOf);
        const after = b.map(objectsOf);
        let state: ({ service: Service; slices: EndpointSlice[] } | undefined)[] = [...before];
        for (const step of [undefined, ...changes]) {
          if (step)
            state = state.map((one, index) => (index === step.at ? (step.kept ? after[index] : undefined) : one));
          const present = state.filter((one) => one !== undefined);
          const args = [present.map((one) => one.service), present.flatMap((one) => one.slices), at, opts] as const;
          const current = planner(...args);
          assert.deepEqual(current, plan(...args), 'a planner with a memory plans the same');
          await applier.sync(current);
          assertAgreement(current, iptables.dump(), [0, 1, 2].flatMap(packetsFor));
        }
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) },
  );
});

it('is able to fail: an oracle told of another endpoint disagrees', () => {
  const objects = objectsOf({
    type: 'ClusterIP',
    internalTrafficPolicy: undefined,
    externalTrafficPolicy: undefined,
    affinity: false,
    external: false,
    lbIPs: [],
    ranges: [],
    ports: ['TCP'],
    slices: [[{ ip: '10.244.1.1', ready: true, serving: true, terminating: false, zones: [], nodes: [] }]],
    at: 0,
  });
  const at = { name: 'node01', ips: [NODE_IP], labels: {} };
  const good = plan([objects.service], objects.slices, at, defaultPlanOptions);
  const iptables = new FakeIptables();
  return new IptablesApplier(iptables).sync(good).then(() => {
    const other = plan([objects.service], [], at, defaultPlanOptions);
    assert.throws(() => {
      assertAgreement(other, iptables.dump(), packetsFor(0));
    });
  });
});
