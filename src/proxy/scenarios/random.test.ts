/** Random clusters, changes and packets: every mode's tracer must say what the oracle says, and a Planner what `plan` says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import type { Family } from '../../lib/ip.ts';
import type { Mode } from '../mode.ts';
import { MODES } from '../modes.ts';
import { decide } from '../plan/decide.ts';
import { plan } from '../plan/plan.ts';
import { Planner } from '../plan/planner.ts';
import { defaultPlanOptions, type Plan } from '../plan/types.ts';
import { traceRelay } from '../relays.ts';
import { describeDecision, describeOutcomes } from '../trace-outcome.ts';
import { inIPv6 } from './ipv6.ts';
import { clusters, NODE_IP, nodes, objectsOf, optionsWith, packetsFor } from './random-cluster.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);
const read = <T>(family: Family, value: T): T => (family === 'IPv6' ? inIPv6(value) : value);

function assertAgreement(mode: Mode, current: Plan, told = current): void {
  const packets = [0, 1, 2].flatMap((at) => read(current.options.family, packetsFor(at)));
  const traced = mode.trace(current, packets);
  for (const [at, packet] of packets.entries()) {
    const outcomes = traceRelay(current, packet) ?? traced[at] ?? [];
    assert.equal(describeOutcomes(outcomes), describeDecision(decide(told, packet)), JSON.stringify(packet));
  }
}

for (const mode of Object.values(MODES)) {
  for (const family of ['IPv4', 'IPv6'] as const) {
    it(`${mode.name}, ${family}: the tracer agrees with the oracle on random clusters`, () => {
      const options = optionsWith(mode.traits(family));
      fc.assert(
        fc.property(clusters, options, nodes, (cluster, some, node) => {
          const objects = read(family, cluster.map(objectsOf));
          const services = objects.map((one) => one.service);
          const slices = objects.flatMap((one) => one.slices);
          assertAgreement(mode, plan(services, slices, read(family, node), read(family, some)));
        }),
        { numRuns: RUNS / 2 },
      );
    });
  }
  it(`${mode.name}: is able to fail, an oracle told of another endpoint disagrees`, () => {
    const [good, other] = [['10.244.1.1'], []].map((ips) => {
      const endpoints = ips.map((ip) => ({ ip, ready: true, serving: true, terminating: false, zones: [], nodes: [] }));
      const { service, slices } = objectsOf({
        type: 'ClusterIP',
        internalTrafficPolicy: undefined,
        externalTrafficPolicy: undefined,
        affinity: false,
        external: false,
        lbIPs: [],
        ranges: [],
        ports: ['TCP'],
        slices: [endpoints],
        at: 0,
      });
      const options = { ...defaultPlanOptions, ...mode.traits('IPv4') };
      return plan([service], slices, { name: 'node01', ips: [NODE_IP], labels: {} }, options);
    });
    assert.ok(good && other);
    assertAgreement(mode, good);
    assert.throws(() => {
      assertAgreement(mode, good, other);
    });
  });
}

describe('a Planner', () => {
  type State = { service: Service; slices: EndpointSlice[] } | undefined;
  const steps = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 2 }),
      to: fc.constantFrom('a', 'b', 'gone', 'no service', 'no slices'),
      relabel: fc.boolean(),
    }),
    { maxLength: 6 },
  );
  it('plans the same step by step as all at once, and names every Service whose ports changed', () => {
    const run = fc.property(
      clusters,
      clusters,
      steps,
      optionsWith({ localhostNodePorts: 'rules', guardClusterIPs: false, hidesClients: false }),
      nodes,
      nodes,
      (a, b, changes, options, node, nextNode) => {
        const choices = { a: a.map(objectsOf), b: b.map(objectsOf) };
        const state: State[] = [undefined, undefined, undefined];
        const planner = new Planner(node, options);
        let [at, last] = [node, plan([], [], node, options)];
        for (const step of changes) {
          const { service, slices = [] } = state[step.at] ?? {};
          for (const slice of slices) planner.deleteSlice(slice);
          if (service) planner.deleteService(service);
          const next = step.to === 'gone' ? undefined : choices[step.to === 'b' ? 'b' : 'a'][step.at];
          state[step.at] = next;
          // a Service without slices, and slices without a Service, are what is seen between two events
          if (next && step.to !== 'no service') planner.setService(next.service);
          if (next && step.to !== 'no slices') for (const slice of next.slices) planner.setSlice(slice);
          if (next && step.to === 'no slices') state[step.at] = { ...next, slices: [] };
          if (next && step.to === 'no service') state[step.at] = undefined;
          const orphans = next && step.to === 'no service' ? next.slices : [];
          if (step.relabel) at = nextNode;
          planner.setNode(at, options);
          const { plan: got, changed } = planner.update();
          const present = state.filter((one) => one !== undefined);
          const wanted = plan(
            present.map((one) => one.service),
            present.flatMap((one) => one.slices),
            at,
            options,
          );
          assert.deepEqual(got, wanted);
          const portsOf = (some: Plan, service: string) => some.servicePorts.filter((one) => one.service === service);
          for (const name of ['s0', 's1', 's2']) {
            const [before, after] = [portsOf(last, name), portsOf(wanted, name)];
            const change = changed?.get(`default/${name}`);
            if (changed && !change) assert.deepEqual(after, before, name);
            if (change) assert.deepEqual(change, { before, after }, name);
          }
          last = wanted;
          for (const slice of orphans) planner.deleteSlice(slice);
        }
      },
    );
    fc.assert(run, { numRuns: RUNS });
  });
});
