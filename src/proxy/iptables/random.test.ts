/** Random clusters and changes, written by the applier step by step: what the kernel then holds must say what the oracle says. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { decide } from '../plan/decide.ts';
import type { Packet } from '../plan/packet.ts';
import { plan } from '../plan/plan.ts';
import type { Plan } from '../plan/types.ts';
import { clusters, nodes, objectsOf, optionsWith, packetsFor } from '../scenarios/random-cluster.ts';
import { describeDecision, describeOutcomes } from '../trace-outcome.ts';
import { IptablesApplier } from './apply.ts';
import { iptablesMode } from './mode.ts';
import { endpointChain } from './names.ts';
import { parse } from './parse.ts';
import { trace } from './trace.ts';

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

it('what is written step by step agrees with the oracle', async () => {
  const change = fc.record({ at: fc.integer({ min: 0, max: 2 }), kept: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      clusters,
      clusters,
      fc.array(change, { maxLength: 4 }),
      optionsWith(iptablesMode.traits('IPv4')),
      nodes,
      async (a, b, changes, options, at) => {
        const iptables = new FakeIptables();
        const applier = new IptablesApplier(iptables);
        const before = a.map(objectsOf);
        const after = b.map(objectsOf);
        let state: ({ service: Service; slices: EndpointSlice[] } | undefined)[] = [...before];
        for (const step of [undefined, ...changes]) {
          if (step)
            state = state.map((one, index) => (index === step.at ? (step.kept ? after[index] : undefined) : one));
          const present = state.filter((one) => one !== undefined);
          const services = present.map((one) => one.service);
          const slices = present.flatMap((one) => one.slices);
          const current = plan(services, slices, at, options);
          await applier.sync(current);
          assertAgreement(current, iptables.dump(), [0, 1, 2].flatMap(packetsFor));
        }
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) },
  );
});
