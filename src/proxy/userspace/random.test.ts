/** Random clusters and changes, followed step by step: rules and relays must be those of the whole Plan, and the rules those of the tracer. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { FakeIptables } from '../../host/iptables-fake.ts';
import type { Family } from '../../lib/ip.ts';
import { silentLog } from '../../lib/log.ts';
import { parse, type Tables } from '../iptables/parse.ts';
import { render as renderRules } from '../iptables/render.ts';
import { chainSignature } from '../iptables/signature.ts';
import { Planner } from '../plan/planner.ts';
import { inIPv6 } from '../scenarios/ipv6.ts';
import { clusters, nodes, objectsOf, optionsWith } from '../scenarios/random-cluster.ts';
import { userspaceBackendOf } from './backend.ts';
import { compile } from './compile.ts';
import { userspaceMode } from './mode.ts';
import { isUserspaceChain } from './names.ts';
import { relaysOf } from './relay-spec.ts';

/** Ours, and the jumps to them. */
function spelled(tables: Tables): Record<string, string> {
  const chains = Object.entries(tables).flatMap(([table, all]) =>
    all.flatMap((chain): [string, string][] => {
      const isOurs = isUserspaceChain(table, chain.name);
      return isOurs || chain.rules.length > 0 ? [[`${table} ${chain.name}`, chainSignature(chain)]] : [];
    }),
  );
  return Object.fromEntries(chains.sort(([a], [b]) => (a < b ? -1 : 1)));
}

it('what is written step by step is what all at once would be, and relays have the endpoints of their pools', async () => {
  const change = fc.record({
    at: fc.integer({ min: 0, max: 2 }),
    to: fc.constantFrom('a', 'b', 'gone', 'no slices'),
    fails: fc.boolean(),
  });
  const families = fc.constantFrom<Family>('IPv4', 'IPv6');
  await fc.assert(
    fc.asyncProperty(
      families.chain((family) => fc.tuple(fc.constant(family), optionsWith(userspaceMode.traits(family)))),
      clusters,
      clusters,
      fc.array(change, { minLength: 1, maxLength: 5 }),
      nodes,
      async ([family, inIPv4], a, b, changes, ofIPv4) => {
        const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
        const [options, node] = [read(inIPv4), read(ofIPv4)];
        const choices = { a: a.map((one) => read(objectsOf(one))), b: b.map((one) => read(objectsOf(one))) };
        const iptables = new FakeIptables();
        const backend = userspaceBackendOf(iptables, { family, log: silentLog });
        const planner = new Planner(node, options);
        const present = [...choices.a];
        for (const { service, slices } of present) {
          planner.setService(service);
          for (const slice of slices) planner.setSlice(slice);
        }
        try {
          await backend.sync(planner.update());
          for (const { at, to, fails } of changes) {
            const old = present[at];
            for (const slice of old?.slices ?? []) planner.deleteSlice(slice);
            if (old && to !== 'no slices') planner.deleteService(old.service);
            const next = to === 'a' || to === 'b' ? choices[to][at] : undefined;
            if (next) {
              present[at] = next;
              planner.setService(next.service);
              for (const slice of next.slices) planner.setSlice(slice);
            }
            if (fails) {
              iptables.refuse = () => true;
              await backend.sync(planner.update()).catch(() => undefined);
              iptables.refuse = undefined;
            }
            const update = planner.update();
            await backend.sync(update);
            const { plan } = update;
            const wanted = new FakeIptables();
            await wanted.restore(renderRules(compile(plan, backend.relays.portOf)));
            assert.deepEqual(spelled(parse(iptables.dump())), spelled(parse(wanted.dump())));
            const relays = plan.servicePorts.flatMap(relaysOf);
            assert.equal(backend.relays.size, relays.length);
            for (const { service, pool, endpoints } of relays) {
              const addresses = endpoints.map((one) => one.address).sort();
              assert.deepEqual(backend.relays.endpointsOf(service, pool), addresses);
            }
          }
        } finally {
          await backend.stop();
        }
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) },
  );
});
