/** Random clusters and changes: a Planner must say what `plan` says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../api/types.ts';
import { plan } from '../plan/plan.ts';
import { Planner } from '../plan/planner.ts';
import type { Plan } from '../plan/types.ts';
import { clusters, nodes, objectsOf, optionsWith } from './random-cluster.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);

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
